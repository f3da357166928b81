import FoundationEssentials
import PlatformModel
import TaskOutbox
import TaskQueue

/// The controller's tasks and who does them. All read the rows anew, so that doing one twice is doing it once.
struct WorkerTasks: Sendable {
    let converger: AppConverger
    let jobs: JobKeeper

    var handlers: [TaskHandler] {
        [
            TaskHandler("app.deploy") { try await work(on: $0, converger.converge(_:for:)) },
            TaskHandler("app.destroy") { try await work(on: $0, converger.converge(_:for:)) },
            TaskHandler("app.run") { try await work(on: $0, jobs.converge(_:for:)) },
        ]
    }

    private func work(on task: TaskEnvelope, _ converge: (UUID, AppTurns.Visit) async throws -> Void) async throws {
        guard let text = task.payload["app"]?.stringValue, let app = UUID(uuidString: text) else {
            throw TaskFailure.permanent("The task names no app.")
        }
        do {
            try await converge(app, .task)
        } catch is LeaseHeld {
            throw TaskFailure.retry("Another worker is at this app.")
        } catch let error as EngineError {
            throw TaskFailure.retry(error.message)
        }
    }
}

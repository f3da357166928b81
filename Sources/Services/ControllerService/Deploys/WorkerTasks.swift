import FoundationEssentials
import PlatformModel
import TaskOutbox
import TaskQueue

/// The controller's tasks and who does them. All read the rows anew, so that doing one twice is doing it once.
struct WorkerTasks: Sendable {
    let converger: AppConverger

    var handlers: [TaskHandler] {
        [
            TaskHandler("app.deploy") { try await converge($0) },
            TaskHandler("app.destroy") { try await converge($0) },
            TaskHandler("app.run") { try await converge($0) },
        ]
    }

    private func converge(_ task: TaskEnvelope) async throws {
        guard let text = task.payload["app"]?.stringValue, let app = UUID(uuidString: text) else {
            throw TaskFailure.permanent("The task names no app.")
        }
        do {
            try await converger.converge(app)
        } catch is LeaseHeld {
            throw TaskFailure.retry("Another worker is at this app.")
        } catch let error as EngineError {
            throw TaskFailure.retry(error.message)
        }
    }
}

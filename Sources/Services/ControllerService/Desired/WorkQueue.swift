import FoundationEssentials
import PlatformModel
import Postgres
import TaskOutbox

/// Work the API leaves to others, written in the transaction that makes it necessary.
enum Work: Sendable, Equatable {
    /// Bring an app to what its rows say.
    case deploy(app: UUID)
    /// Remove what runs of an app whose rows are gone.
    case destroy(app: UUID)
    /// Start a one-off command.
    case run(app: UUID, job: UUID)
    /// Build what was pushed.
    case build(run: UUID)
}

/// Hands work over: the task becomes visible to workers when the transaction commits, and not at all when it does not.
struct WorkQueue: Sendable {
    private let write: @Sendable (Work, Transaction) async throws -> Void

    /// - Parameter write: puts a task into the outbox.
    init(write: @escaping @Sendable (Work, Transaction) async throws -> Void) { self.write = write }

    func add(_ work: Work, in transaction: Transaction) async throws { try await write(work, transaction) }
}

extension WorkQueue {
    /// The queue that puts tasks into the outbox of the transaction's database.
    static let outbox = WorkQueue { work, transaction in
        try await Outbox().add(work.message, in: transaction)
    }
}

extension Work {
    /// The queue the controller's worker reads.
    static let workerQueue = "controller.work"
    /// The queue builders read.
    static let builderQueue = "builder.build"

    /// The task as it travels; payloads carry ids only, since handlers read the rows.
    var message: OutboxMessage {
        switch self {
        case .deploy(let app):
            OutboxMessage(queue: Self.workerQueue, name: "app.deploy", payload: ["app": JSONValue(app)])
        case .destroy(let app):
            OutboxMessage(queue: Self.workerQueue, name: "app.destroy", payload: ["app": JSONValue(app)])
        case .run(let app, let job):
            OutboxMessage(
                queue: Self.workerQueue, name: "app.run", payload: ["app": JSONValue(app), "job": JSONValue(job)])
        case .build(let run):
            OutboxMessage(
                queue: Self.builderQueue, name: "build.run", payload: ["build_run": JSONValue(run)],
                deadlineSeconds: BuildOrders.timeout + BuildOrders.margin)
        }
    }
}

package import AMQPClient
import ConcurrencyPrimitives
package import Logging
import Metrics
import PlatformModel
import ServiceLifecycle

/// Takes tasks from a queue, some at a time, and settles each only when it is done, delayed or buried.
///
/// A failed task goes to the retry queue of its attempt, after the last attempt to the dead letters. It is published
/// there before its delivery is settled, so that a crash in between doubles a task and never loses it.
///
/// A task may therefore come twice, after a crash of this process, of the broker or of the publisher: handlers read the
/// rows, and do again only what the rows still ask for. Two things never happen: the same task twice at one time
/// in this process, since a delivery that comes again while its task is in work takes the place of the first;
/// and a task handed out again and again without a pause.
package struct TaskConsumer: Service {
    private let connection: AMQPConnection
    private let queue: String
    private let topology: TaskTopology
    private let handlers: [String: TaskHandler]
    private let concurrency: Int
    private let logger: Logger
    private let desk: TaskDesk
    private let inWork = TasksInWork()

    /// - Parameters:
    ///   - topology: must have `queue`; its delays decide the retries.
    ///   - concurrency: tasks in work at once.
    package init(
        connection: AMQPConnection, queue: String, topology: TaskTopology, handlers: [TaskHandler],
        concurrency: Int = 4, logger: Logger
    ) {
        self.connection = connection
        self.queue = queue
        self.topology = topology
        self.handlers = Dictionary(handlers.map { (Self.key($0.name, $0.version), $0) }) { first, _ in first }
        self.concurrency = max(1, concurrency)
        self.logger = logger
        desk = TaskDesk(connection: connection, queue: queue, topology: topology, logger: logger)
    }

    private static func key(_ name: String, _ version: Int) -> String { "\(name)/\(version)" }

    /// Consumes until shutdown; tasks in work are finished first, within the process's limit.
    package func run() async throws {
        await declareUntilDone()
        let consumer = connection.consume(queue: queue, prefetch: concurrency)
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await delivery in consumer {
                    guard let step = receive(delivery) else { continue }
                    group.addTask { await take(step, for: delivery) }
                }
            }
        } onGracefulShutdown: {
            // No new deliveries; those in work are settled by their tasks.
            consumer.cancel()
        }
        consumer.close()
    }

    /// A broker that is away at start is waited for.
    private func declareUntilDone() async {
        for pause in Backoff(initial: .milliseconds(200), limit: .seconds(10)) {
            if Task.isCancelled || Task.isShuttingDownGracefully { return }
            do {
                return try await topology.declare(on: connection)
            } catch {
                logger.warning("Waiting for the broker", metadata: ["error": "\(String(reflecting: error))"])
            }
            do {
                try await Task.sleep(for: pause)
            } catch {
                return
            }
        }
    }

    /// What to do about a delivery; nil when its task is in work already.
    ///
    /// Asked in the order of delivery, so that of two deliveries of one task the later settles it.
    private func receive(_ delivery: AMQPDelivery) -> TaskStep? {
        let task: TaskEnvelope
        do throws(InvalidValue) {
            task = try TaskEnvelope(body: delivery.message.body)
        } catch {
            return .bury(nil, reason: error.message)
        }
        guard let handler = handlers[Self.key(task.name, task.version)] else {
            return .bury(task, reason: "No handler knows the task \(task.name) in version \(task.version).")
        }
        return inWork.begin(task.id, delivery) ? .work(task, handler) : nil
    }

    private func take(_ step: TaskStep, for delivery: AMQPDelivery) async {
        switch step {
        case .bury(let task, let reason): await desk.bury(delivery, task: task, reason: reason)
        case .work(let task, let handler):
            let start = ContinuousClock.now
            let outcome = await outcome(of: handler, task)
            record(task, outcome, since: start)
            await settle(inWork.end(task.id) ?? delivery, task, outcome)
        }
    }

    private func settle(_ delivery: AMQPDelivery, _ task: TaskEnvelope, _ outcome: TaskOutcome) async {
        switch outcome {
        case .done: delivery.ack()
        case .interrupted: delivery.nack()
        case .failed(.permanent(let reason)): await desk.bury(delivery, task: task, reason: reason)
        case .failed(.retry(let reason)): await desk.retry(delivery, task, reason: reason)
        }
    }

    private func outcome(of handler: TaskHandler, _ task: TaskEnvelope) async -> TaskOutcome {
        do {
            try await withDeadline(.seconds(max(1, task.deadlineSeconds))) { try await handler.handle(task) }
            return .done
        } catch let failure as TaskFailure {
            return .failed(failure)
        } catch is CancellationError {
            // Without an end of this process it is the handler's own affair, and pauses like any failure.
            return Task.isCancelled ? .interrupted : .failed(.retry("The handler was interrupted."))
        } catch let error as DeadlineExceeded {
            return .failed(.retry("The task took longer than its deadline: \(error)"))
        } catch {
            return .failed(.retry(String(reflecting: error)))
        }
    }

    private func record(_ task: TaskEnvelope, _ outcome: TaskOutcome, since start: ContinuousClock.Instant) {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        Timer(label: "task.duration", dimensions: [("task", task.name), ("outcome", outcome.word)])
            .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        guard case .failed(let failure) = outcome else { return }
        logger.warning(
            "Task failed",
            metadata: [
                "task": "\(task.id)", "name": "\(task.name)", "attempt": "\(task.attempt)", "error": "\(failure)",
            ])
    }
}

/// What a delivery asks for.
private enum TaskStep {
    case work(TaskEnvelope, TaskHandler)
    case bury(TaskEnvelope?, reason: String)
}

/// How an attempt at a task ended.
private enum TaskOutcome {
    case done, interrupted
    case failed(TaskFailure)

    var word: String {
        switch self {
        case .done: "done"
        case .interrupted: "interrupted"
        case .failed(.retry): "retry"
        case .failed(.permanent): "permanent"
        }
    }
}

package import AMQPClient
import ConcurrencyPrimitives
import FoundationEssentials
package import Logging
import Metrics
import PlatformModel
import ServiceLifecycle

/// Takes tasks from a queue, some at a time, and settles each only when it is done, delayed or buried.
///
/// A failed task goes to the retry queue of its attempt, after the last attempt to the dead letters. It is published
/// there before its delivery is settled, so that a crash in between doubles a task and never loses it.
package struct TaskConsumer: Service {
    private let connection: AMQPConnection
    private let queue: String
    private let topology: TaskTopology
    private let handlers: [String: TaskHandler]
    private let concurrency: Int
    private let logger: Logger

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
    }

    private static func key(_ name: String, _ version: Int) -> String { "\(name)/\(version)" }

    /// Consumes until shutdown; tasks in work are finished first, within the process's limit.
    package func run() async throws {
        await declareUntilDone()
        let consumer = connection.consume(queue: queue, prefetch: concurrency)
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await delivery in consumer {
                    group.addTask { await work(on: delivery) }
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

    private func work(on delivery: AMQPDelivery) async {
        let task: TaskEnvelope
        do throws(InvalidValue) {
            task = try TaskEnvelope(body: delivery.message.body)
        } catch {
            await bury(delivery, body: delivery.message.body, task: nil, reason: error.message)
            return
        }
        guard let handler = handlers[Self.key(task.name, task.version)] else {
            let reason = "No handler knows the task \(task.name) in version \(task.version)."
            await bury(delivery, body: delivery.message.body, task: task, reason: reason)
            return
        }
        let start = ContinuousClock.now
        let outcome = await outcome(of: handler, task)
        record(task, outcome, since: start)
        switch outcome {
        case .done: delivery.ack()
        case .interrupted: delivery.nack()
        case .failed(.permanent(let reason)):
            await bury(delivery, body: delivery.message.body, task: task, reason: reason)
        case .failed(.retry(let reason)): await retry(delivery, task, reason)
        }
    }

    private enum Outcome {
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

    private func outcome(of handler: TaskHandler, _ task: TaskEnvelope) async -> Outcome {
        do {
            try await withDeadline(.seconds(max(1, task.deadlineSeconds))) { try await handler.handle(task) }
            return .done
        } catch let failure as TaskFailure {
            return .failed(failure)
        } catch is CancellationError {
            return .interrupted
        } catch let error as DeadlineExceeded {
            return .failed(.retry("The task took longer than its deadline: \(error)"))
        } catch {
            return .failed(.retry(String(reflecting: error)))
        }
    }

    private func record(_ task: TaskEnvelope, _ outcome: Outcome, since start: ContinuousClock.Instant) {
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

    private func retry(_ delivery: AMQPDelivery, _ task: TaskEnvelope, _ reason: String) async {
        guard task.attempt <= topology.delays.count else {
            let text = "Given up after \(task.attempt) attempts: \(reason)"
            await bury(delivery, body: delivery.message.body, task: task, reason: text)
            return
        }
        var next = task
        next.attempt += 1
        do {
            try await connection.publish(
                routingKey: TaskTopology.retryQueue(queue, task.attempt), body: try next.body(),
                properties: TaskPublisher.properties(of: next, failure: failure(delivery, reason)))
            delivery.ack()
        } catch {
            // The broker still has the delivery and hands it out again.
            delivery.nack()
        }
    }

    private func bury(_ delivery: AMQPDelivery, body: [UInt8], task: TaskEnvelope?, reason: String) async {
        let known = task ?? TaskEnvelope(name: "unreadable", payload: .null)
        do {
            try await connection.publish(
                routingKey: TaskTopology.deadQueue(queue), body: body,
                properties: TaskPublisher.properties(of: known, failure: failure(delivery, reason)))
            delivery.ack()
            logger.error("Task is dead", metadata: ["task": "\(known.id)", "name": "\(known.name)", "reason": "\(reason)"])
        } catch {
            delivery.nack()
        }
    }

    private func failure(_ delivery: AMQPDelivery, _ reason: String) -> TaskFailureRecord {
        TaskFailureRecord(
            queue: queue, reason: reason,
            firstFailed: delivery.message.properties.headers["x-first-failed"]?.stringValue ?? Date.now.wire)
    }
}

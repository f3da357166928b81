import AMQPClient
import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import PlatformModel

/// Sends failed tasks on: to the queue of their delay, or to the dead letters.
struct TaskDesk: Sendable {
    let connection: AMQPConnection
    let queue: String
    let topology: TaskTopology
    let logger: Logger

    /// Has the task come again after its delay, or buries it after its last attempt.
    func retry(_ delivery: AMQPDelivery, _ task: TaskEnvelope, reason: String) async {
        guard task.attempt <= topology.delays.count else {
            let text = "Given up after \(task.attempt) attempts: \(reason)"
            await bury(delivery, task: task, reason: text)
            return
        }
        var next = task
        next.attempt += 1
        let body: [UInt8]
        do {
            body = try next.body()
        } catch {
            await bury(delivery, task: task, reason: "The task cannot be written again: \(error)")
            return
        }
        await send(
            delivery, to: TaskTopology.retryQueue(queue, max(1, task.attempt)), body: body,
            properties: TaskPublisher.properties(of: next, failure: failure(delivery, reason)))
    }

    /// Puts the message among the dead letters as it came.
    func bury(_ delivery: AMQPDelivery, task: TaskEnvelope?, reason: String) async {
        let known = task ?? TaskEnvelope(name: "unreadable", payload: .null)
        let isBuried = await send(
            delivery, to: TaskTopology.deadQueue(queue), body: delivery.message.body,
            properties: TaskPublisher.properties(of: known, failure: failure(delivery, reason)))
        guard isBuried else { return }
        logger.error(
            "Task is dead", metadata: ["task": "\(known.id)", "name": "\(known.name)", "reason": "\(reason)"])
    }

    /// Publishes a message and settles the delivery it came from, in this order.
    ///
    /// As long as the broker does not take the message the delivery is kept, with growing pauses;
    /// given back it would only come again at once. A queue that is missing is declared again.
    /// With the connection the delivery is gone as well: the broker hands the task out again.
    @discardableResult
    private func send(
        _ delivery: AMQPDelivery, to queue: String, body: [UInt8], properties: AMQPProperties
    ) async -> Bool {
        for pause in Backoff(initial: .milliseconds(200), limit: .seconds(30)) {
            do throws(AMQPError) {
                try await connection.publish(routingKey: queue, body: body, properties: properties)
                delivery.ack()
                return true
            } catch {
                logger.warning(
                    "Task waits to be sent on",
                    metadata: ["queue": "\(queue)", "error": "\(String(reflecting: error))"])
                if [.closed, .connectionLost, .unavailable].contains(error.code) { break }
                if error.code == .unroutable { await declareAgain() }
            }
            do {
                try await Task.sleep(for: pause)
            } catch {
                break
            }
        }
        delivery.nack()
        return false
    }

    private func declareAgain() async {
        do {
            try await topology.declare(on: connection)
        } catch {
            logger.warning("Queues cannot be declared", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    private func failure(_ delivery: AMQPDelivery, _ reason: String) -> TaskFailureRecord {
        TaskFailureRecord(
            queue: queue, reason: reason,
            firstFailed: delivery.message.properties.headers["x-first-failed"]?.stringValue ?? Date.now.wire)
    }
}

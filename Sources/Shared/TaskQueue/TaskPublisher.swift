package import AMQPClient
import FoundationEssentials

/// Puts tasks into work queues.
package struct TaskPublisher: Sendable {
    private let connection: AMQPConnection

    package init(connection: AMQPConnection) { self.connection = connection }

    /// Returns once the broker has taken responsibility for the task.
    ///
    /// - Throws: `AMQPError`; `.unroutable` when no such queue was declared.
    package func publish(_ task: TaskEnvelope, to queue: String) async throws {
        try await connection.publish(
            exchange: TaskTopology.exchange, routingKey: queue, body: try task.body(),
            properties: Self.properties(of: task, failure: nil))
    }

    /// - Parameter failure: why the task comes again or is dead, and when it failed first.
    static func properties(of task: TaskEnvelope, failure: TaskFailureRecord?) -> AMQPProperties {
        var headers: [String: AMQPValue] = ["x-attempt": .integer(task.attempt), "x-task": .string(task.name)]
        if let failure {
            headers["x-reason"] = .string(String(failure.reason.prefix(2000)))
            headers["x-first-failed"] = .string(failure.firstFailed)
            headers["x-queue"] = .string(failure.queue)
        }
        return AMQPProperties(
            contentType: "application/json", messageID: task.id.uuidString.lowercased(), timestamp: .now,
            headers: headers)
    }
}

/// What is known of a task that failed.
struct TaskFailureRecord: Sendable {
    let queue: String
    let reason: String
    /// When the first attempt failed, ISO 8601.
    let firstFailed: String
}

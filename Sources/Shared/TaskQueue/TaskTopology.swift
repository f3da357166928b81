package import AMQPClient

/// The exchange and queues tasks go through.
///
/// For each work queue there is one queue per retry delay, whose messages return when their time is over, and one that
/// keeps the dead letters. All are quorum queues: a confirmed task survives the broker's death.
package struct TaskTopology: Sendable, Equatable {
    package static let exchange = "workflow.tasks"
    /// Waits before the second, third, … attempt; after the last the task is dead.
    package static let standardDelays: [Duration] = [
        .seconds(1), .seconds(5), .seconds(30), .seconds(120), .seconds(600),
    ]

    package let queues: [String]
    package let delays: [Duration]

    package init(queues: [String], delays: [Duration] = standardDelays) {
        self.queues = queues
        self.delays = delays
    }

    package static func retryQueue(_ queue: String, _ step: Int) -> String { "\(queue).retry.\(step)" }

    package static func deadQueue(_ queue: String) -> String { "\(queue).dead" }

    /// Declares everything, now and whenever the connection comes back.
    package func declare(on connection: AMQPConnection) async throws(AMQPError) {
        var declarations: [AMQPDeclaration] = [.exchange(Self.exchange, kind: "direct")]
        for queue in queues {
            declarations.append(.quorumQueue(queue))
            declarations.append(.binding(queue: queue, exchange: Self.exchange, routingKey: queue))
            declarations.append(.quorumQueue(Self.deadQueue(queue)))
            for (index, delay) in delays.enumerated() {
                let milliseconds = Int(delay / .milliseconds(1))
                declarations.append(
                    .quorumQueue(
                        Self.retryQueue(queue, index + 1),
                        arguments: [
                            "x-message-ttl": .integer(milliseconds),
                            "x-dead-letter-exchange": .string(Self.exchange),
                            "x-dead-letter-routing-key": .string(queue),
                            // The broker keeps the message until the work queue has it.
                            "x-dead-letter-strategy": "at-least-once",
                            "x-overflow": "reject-publish",
                        ]))
            }
        }
        try await connection.declare(declarations)
    }
}

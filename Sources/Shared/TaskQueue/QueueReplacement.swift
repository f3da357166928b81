import AMQPClient
import ConcurrencyPrimitives

/// Gives a queue new properties, which brokers allow only by making it anew.
///
/// Its messages wait meanwhile in a queue beside it that hands them back by itself, so a crash at any point loses
/// nothing: either the old queue is still there and the next start begins again, or the new one is filling up.
/// New tasks find no queue for a moment and stay in the outbox.
struct QueueReplacement: Sendable {
    /// The queue is still in use by something that does not know its new properties.
    struct InUse: Error, CustomStringConvertible {
        let queue: String

        var description: String { "\(queue) has old properties and is still in use; stop the older version first" }
    }

    /// How long messages wait beside the queue, in milliseconds.
    private static let pause = 2_000

    let connection: AMQPConnection
    /// How long a new queue rests before it takes messages; see ``TaskTopology``.
    let settling: Duration

    func replace(_ queue: String, by declaration: AMQPDeclaration) async throws {
        guard try await connection.queueStatus(queue).consumers == 0 else { throw InUse(queue: queue) }
        let beside = queue + ".moving"
        let arguments = TaskTopology.deadLetters(to: queue, exchange: "")
            .merging(["x-message-ttl": .integer(Self.pause)]) { given, _ in given }
        try await connection.declare([.quorumQueue(beside, arguments: arguments)])
        try await Task.sleep(for: settling)
        try await connection.unbind(queue: queue, exchange: TaskTopology.exchange, routingKey: queue)
        try await connection.withSession { session in
            while let delivery = try await session.get(queue) {
                try await connection.publish(
                    routingKey: beside, body: delivery.message.body, properties: delivery.message.properties)
                delivery.ack()
            }
        }
        try await awaitEmptiness(of: queue)
        try await connection.delete(queue: queue)
        try await connection.declare([declaration])
    }

    /// A quorum queue's own count follows its acknowledgements with a delay.
    private func awaitEmptiness(of queue: String) async throws {
        for pause in Backoff(initial: .milliseconds(50), limit: .milliseconds(500)).prefix(10) {
            if try await connection.queueStatus(queue).messages == 0 { return }
            try await Task.sleep(for: pause)
        }
        throw InUse(queue: queue)
    }
}

package import AMQPClient

/// The exchange and queues tasks go through.
///
/// For each work queue there is one queue per retry delay, whose messages return when their time is over, and one that
/// keeps the dead letters. All are quorum queues: a confirmed task survives the broker's death. A task whose consumers
/// died over it ``deliveryLimit`` times goes to the dead letters by the broker's own hand.
package struct TaskTopology: Sendable, Equatable {
    package static let exchange = "workflow.tasks"
    /// Waits before the second, third, … attempt; after the last the task is dead.
    package static let standardDelays: [Duration] = [
        .seconds(1), .seconds(5), .seconds(30), .seconds(120), .seconds(600),
    ]
    /// How often a task may be handed out again without having been settled.
    package static let standardDeliveryLimit = 20
    /// Looking at dead letters hands them out again; newer brokers drop a message after 20 times unless told otherwise.
    private static let endless = 1_000_000_000

    package let queues: [String]
    package let delays: [Duration]
    package let deliveryLimit: Int
    /// How long a new queue rests before it takes tasks.
    package let settling: Duration

    /// - Parameter settling: RabbitMQ 3 writes a new quorum queue's name to the disk up to a second later,
    ///   and a queue whose name a crash took has lost its messages.
    package init(
        queues: [String], delays: [Duration] = standardDelays, deliveryLimit: Int = standardDeliveryLimit,
        settling: Duration = .milliseconds(1_500)
    ) {
        self.queues = queues
        self.delays = delays
        self.deliveryLimit = deliveryLimit
        self.settling = settling
    }

    package static func retryQueue(_ queue: String, _ step: Int) -> String { "\(queue).retry.\(step)" }

    package static func deadQueue(_ queue: String) -> String { "\(queue).dead" }

    /// Declares everything, now and whenever the connection comes back.
    ///
    /// A queue an older version declared with other properties is replaced, and its messages are kept.
    package func declare(on connection: AMQPConnection) async throws {
        try await connection.declare([.exchange(Self.exchange, kind: "direct")])
        var hasNew = false
        for queue in queues {
            if try await !exists(queue, on: connection) { hasNew = true }
            for declaration in declarations(of: queue) { try await declare(declaration, on: connection) }
        }
        if hasNew { try await Task.sleep(for: settling) }
        // The bindings come last: once a queue takes tasks, all it sends them on to is there.
        try await connection.declare(
            queues.map { .binding(queue: $0, exchange: Self.exchange, routingKey: $0) })
    }

    private func exists(_ queue: String, on connection: AMQPConnection) async throws(AMQPError) -> Bool {
        do throws(AMQPError) {
            _ = try await connection.queueStatus(queue)
            return true
        } catch {
            guard error.code == .notFound else { throw error }
            return false
        }
    }

    private func declare(_ declaration: AMQPDeclaration, on connection: AMQPConnection) async throws {
        do throws(AMQPError) {
            try await connection.declare([declaration])
        } catch {
            guard error.code == .preconditionFailed, case .queue(let name, _, _) = declaration else { throw error }
            try await QueueReplacement(connection: connection, settling: settling).replace(name, by: declaration)
        }
    }

    private func declarations(of queue: String) -> [AMQPDeclaration] {
        let dead = Self.deadQueue(queue)
        let retries = delays.enumerated().map { index, delay in
            AMQPDeclaration.quorumQueue(
                Self.retryQueue(queue, index + 1),
                arguments: Self.deadLetters(to: queue, exchange: Self.exchange)
                    .merging(["x-message-ttl": .integer(Int(delay / .milliseconds(1)))]) { given, _ in given })
        }
        let limited = Self.deadLetters(to: dead, exchange: "")
            .merging(["x-delivery-limit": .integer(deliveryLimit)]) { given, _ in given }
        return [.quorumQueue(dead, arguments: ["x-delivery-limit": .integer(Self.endless)])]
            + retries + [.quorumQueue(queue, arguments: limited)]
    }

    /// Arguments of a queue whose messages go on to `target`; the broker keeps each until that has it.
    static func deadLetters(to target: String, exchange: String) -> [String: AMQPValue] {
        [
            "x-dead-letter-exchange": .string(exchange), "x-dead-letter-routing-key": .string(target),
            "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
        ]
    }
}

package import AMQPClient
import FoundationEssentials

/// A task nobody will do unless somebody looks at it.
package struct DeadLetter: Sendable, Equatable {
    /// The task's id as text.
    package let id: String
    package let name: String
    /// The queue it came from and returns to.
    package let queue: String
    package let reason: String
    package let attempts: Int
    /// When its first attempt failed, ISO 8601.
    package let firstFailed: String
    package let body: String
}

/// Looks at the dead letters of work queues and brings them back.
package struct DeadLetters: Sendable {
    private let connection: AMQPConnection

    package init(connection: AMQPConnection) { self.connection = connection }

    /// The dead letters of a work queue, oldest first; they stay where they are.
    package func list(_ queue: String, limit: Int = 1000) async throws -> [DeadLetter] {
        try await connection.withSession { session in
            var letters: [DeadLetter] = []
            while letters.count < limit, let delivery = try await session.get(TaskTopology.deadQueue(queue)) {
                letters.append(Self.letter(delivery, queue))
            }
            return letters
        }
    }

    /// Puts a dead letter back to work as a first attempt.
    ///
    /// - Returns: false when there is no letter with this id.
    package func retry(_ id: String, in queue: String) async throws -> Bool {
        try await take(id, in: queue) { delivery in
            var task = try TaskEnvelope(body: delivery.message.body)
            task.attempt = 1
            try await TaskPublisher(connection: connection).publish(task, to: queue)
        }
    }

    /// Drops one dead letter for good.
    package func drop(_ id: String, in queue: String) async throws -> Bool {
        try await take(id, in: queue) { _ in }
    }

    /// Drops all dead letters of a work queue and returns their number.
    package func purge(_ queue: String) async throws -> Int {
        try await connection.purge(TaskTopology.deadQueue(queue))
    }

    /// Finds a letter, runs `body` and settles it; the others go back when the session ends.
    private func take(
        _ id: String, in queue: String, _ body: @Sendable (AMQPDelivery) async throws -> Void
    ) async throws -> Bool {
        try await connection.withSession { session in
            while let delivery = try await session.get(TaskTopology.deadQueue(queue)) {
                guard Self.letter(delivery, queue).id == id else { continue }
                try await body(delivery)
                delivery.ack()
                return true
            }
            return false
        }
    }

    private static func letter(_ delivery: AMQPDelivery, _ queue: String) -> DeadLetter {
        let properties = delivery.message.properties
        let headers = properties.headers
        let given = headers["x-reason"]?.stringValue ?? ""
        let reason = deathByRedelivery(headers, queue).map { given.isEmpty ? $0 : "\($0) Before: \(given)" } ?? given
        return DeadLetter(
            id: properties.messageID ?? "", name: headers["x-task"]?.stringValue ?? "unknown",
            queue: headers["x-queue"]?.stringValue ?? queue, reason: reason,
            attempts: headers["x-attempt"]?.integerValue ?? 1,
            firstFailed: headers["x-first-failed"]?.stringValue ?? "",
            body: String(decoding: delivery.message.body, as: UTF8.self))
    }

    /// The reason of a letter the broker itself has put here; it notes in `x-death` why.
    private static func deathByRedelivery(_ headers: [String: AMQPValue], _ queue: String) -> String? {
        guard case .array(let deaths)? = headers["x-death"] else { return nil }
        let isOurs = deaths.contains { death in
            guard case .table(let entry) = death else { return false }
            return entry["reason"]?.stringValue == "delivery_limit" && entry["queue"]?.stringValue == queue
        }
        guard isOurs else { return nil }
        return "Handed out too often without an end: whoever took it died over it or was stopped each time."
    }
}

/// How much waits in a work queue.
package struct QueueDepth: Sendable, Equatable {
    package let queue: String
    package let ready: Int
    package let delayed: Int
    package let dead: Int
    package let consumers: Int

    /// - Throws: `AMQPError` with `.notFound` when the queue was never declared.
    package static func read(
        _ queue: String, topology: TaskTopology, connection: AMQPConnection
    ) async throws(AMQPError) -> QueueDepth {
        let work = try await connection.queueStatus(queue)
        var delayed = 0
        for step in 1...max(1, topology.delays.count) where step <= topology.delays.count {
            delayed += try await connection.queueStatus(TaskTopology.retryQueue(queue, step)).messages
        }
        let dead = try await connection.queueStatus(TaskTopology.deadQueue(queue)).messages
        return QueueDepth(
            queue: queue, ready: work.messages, delayed: delayed, dead: dead, consumers: work.consumers)
    }
}

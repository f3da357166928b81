import FoundationEssentials
import PlatformModel
package import Postgres

/// Tasks written in the same transaction as the rows they are about.
///
/// The row and its task commit together or not at all; ``OutboxRelay`` carries the task to the broker afterwards. See
/// "transactional outbox" (Richardson, Microservices Patterns, chapter 3).
package struct Outbox: Sendable {
    /// Channel that announces new messages to the relays.
    package static let channel = "outbox"

    package init() {}

    /// Adds `message`; it is published soon after the transaction commits.
    package func add(_ message: OutboxMessage, in transaction: Transaction) async throws(PostgresError) {
        try await transaction.execute(
            """
            INSERT INTO outbox (task, queue, name, version, payload, created, deadline_seconds)
            VALUES (\(message.id), \(message.queue), \(message.name), \(message.version), \(json: message.payload),
                \(message.created), \(message.deadlineSeconds))
            """)
        // Delivered by the server at commit, so that no relay looks too early.
        _ = try await transaction.query("SELECT pg_notify(\(Self.channel), '')")
    }

    /// How many messages wait and how many seconds the oldest has waited.
    package func backlog(in executor: some SQLExecutor) async throws(PostgresError) -> (count: Int, oldestAge: Double) {
        let row = try await executor.query(
            """
            SELECT count(*) AS total, coalesce(extract(epoch FROM now() - min(created)), 0)::float8 AS age FROM outbox
            """
        ).one()
        return (try row.decode("total"), try row.decode("age"))
    }

    /// Takes up to `limit` messages in order, hands them to `publish`, and deletes those it accepted.
    ///
    /// Rows taken by another relay are passed over. A crash between publishing and commit publishes again.
    ///
    /// - Returns: how many were published.
    func relay(
        limit: Int, in transaction: Transaction, publish: @Sendable ([OutboxMessage]) async -> [Bool]
    ) async throws(PostgresError) -> Int {
        let rows = try await transaction.query(
            """
            SELECT id, task, queue, name, version, payload, created, deadline_seconds FROM outbox
            ORDER BY id LIMIT \(limit) FOR UPDATE SKIP LOCKED
            """)
        guard !rows.isEmpty else { return 0 }
        let numbers = try rows.map { (row) throws(PostgresError) in try row.decode("id", as: Int.self) }
        let messages = try rows.map { (row) throws(PostgresError) in
            OutboxMessage(
                id: try row.decode("task"), queue: try row.decode("queue"), name: try row.decode("name"),
                version: try row.decode("version"), payload: try row.decode(json: "payload"),
                created: try row.decode("created"), deadlineSeconds: try row.decode("deadline_seconds"))
        }
        let accepted = await publish(messages)
        let done = zip(numbers, accepted).filter(\.1).map(\.0)
        try await transaction.execute("DELETE FROM outbox WHERE id = ANY(\(done)::bigint[])")
        return done.count
    }
}

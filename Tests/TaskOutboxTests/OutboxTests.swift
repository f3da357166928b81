import ConcurrencyPrimitives
import FoundationEssentials
import PlatformModel
import Postgres
import PostgresTestSupport
import Synchronization
import TaskOutbox
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct OutboxTests {
    private struct Refused: Error {}

    private func message(_ name: String) -> OutboxMessage {
        OutboxMessage(queue: "work", name: name, payload: ["app": .string(name)])
    }

    private func migrate(_ database: ScratchDatabase, _ pool: PostgresPool) async throws {
        try await Migrator(migrations: TaskOutboxMigrations.all, lockKey: 1).run(pool, logger: database.logger)
    }

    /// Runs a relay while `body` runs.
    private func withRelay(
        _ database: ScratchDatabase, _ pool: PostgresPool,
        publish: @escaping @Sendable (OutboxMessage) async throws -> Void, _ body: @Sendable () async throws -> Void
    ) async throws {
        let relay = OutboxRelay(
            pool: pool, notifications: PostgresNotifications(url: database.url, logger: database.logger),
            logger: database.logger, sweep: .seconds(60), publish: publish)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    @Test func committedMessagesArePublishedOnceInOrder() async throws {
        try await withScratchDatabase { database in
            let pool = database.pool()
            try await migrate(database, pool)
            let seen = BoundedChannel<String>(limit: 100)
            try await withRelay(database, pool, publish: { _ = await seen.send($0.name) }) {
                for number in 0..<10 {
                    try await pool.withTransaction { try await Outbox().add(message("task-\(number)"), in: $0) }
                }
                var names: [String] = []
                for try await name in seen {
                    names.append(name)
                    if names.count == 10 { break }
                }
                #expect(names.sorted() == (0..<10).map { "task-\($0)" })
                try await eventually("the outbox is empty") { try await Outbox().backlog(in: pool).count == 0 }
            }
        }
    }

    @Test func aRolledBackMessageIsNeverPublished() async throws {
        try await withScratchDatabase { database in
            let pool = database.pool()
            try await migrate(database, pool)
            await #expect(throws: Refused.self) {
                try await pool.withTransaction { transaction in
                    try await Outbox().add(message("lost"), in: transaction)
                    throw Refused()
                }
            }
            #expect(try await Outbox().backlog(in: pool).count == 0)
        }
    }

    @Test func aRefusedMessageStaysAndIsTriedAgain() async throws {
        try await withScratchDatabase { database in
            let pool = database.pool()
            try await migrate(database, pool)
            let attempts = AttemptCounter()
            let publish: @Sendable (OutboxMessage) async throws -> Void = { _ in
                if attempts.next() < 3 { throw Refused() }
            }
            try await withRelay(database, pool, publish: publish) {
                try await pool.withTransaction { try await Outbox().add(message("stubborn"), in: $0) }
                try await eventually("the third attempt succeeds") { try await Outbox().backlog(in: pool).count == 0 }
            }
            #expect(attempts.count == 3)
        }
    }

    @Test func twoRelaysPublishEachMessageOnce() async throws {
        try await withScratchDatabase { database in
            let pool = database.pool(size: 8)
            try await migrate(database, pool)
            let attempts = AttemptCounter()
            let publish: @Sendable (OutboxMessage) async throws -> Void = { _ in _ = attempts.next() }
            try await withRelay(database, pool, publish: publish) {
                try await withRelay(database, pool, publish: publish) {
                    for number in 0..<200 {
                        try await pool.withTransaction { try await Outbox().add(message("task-\(number)"), in: $0) }
                    }
                    try await eventually("all are published") { try await Outbox().backlog(in: pool).count == 0 }
                }
            }
            #expect(attempts.count == 200)
        }
    }
}

private final class AttemptCounter: Sendable {
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func next() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}

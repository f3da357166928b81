import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct MigratorTests {
    private static let first = Migration(number: 1, name: "apps", sql: "CREATE TABLE apps (name text); SELECT 1;")
    private static let second = Migration(number: 2, name: "size", sql: "ALTER TABLE apps ADD COLUMN size int")
    private static let broken = Migration(number: 3, name: "broken", sql: "CREATE TABLE half (a int); SELECT 1 / 0;")

    @Test func missingMigrationsAreAppliedOnceInOrder() async throws {
        try await withDatabase { database in
            let pool = try database.pool()
            let logger = database.logger
            let migrator = Migrator(migrations: [Self.second, Self.first], lockKey: 1)
            #expect(try await migrator.missing(in: pool) == [1, 2])
            #expect(try await Migrator(migrations: [Self.first], lockKey: 1).run(pool, logger: logger) == 1)
            #expect(try await migrator.missing(in: pool) == [2])
            #expect(try await migrator.run(pool, logger: logger) == 1)
            #expect(try await migrator.run(pool, logger: logger) == 0)
            #expect(try await migrator.missing(in: pool) == [])
            try await pool.execute("INSERT INTO apps (name, size) VALUES ('shop', 1)")
        }
    }

    @Test func severalProcessesTakeTurns() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 6)
            let migrator = Migrator(migrations: [Self.first, Self.second], lockKey: 1)
            let applied = try await withThrowingTaskGroup { group in
                for _ in 0..<5 { group.addTask { try await migrator.run(pool, logger: database.logger) } }
                return try await group.reduce(0, +)
            }
            #expect(applied == 2)
        }
    }

    @Test func aChangedMigrationIsRefused() async throws {
        try await withDatabase { database in
            let pool = try database.pool()
            try await Migrator(migrations: [Self.first], lockKey: 1).run(pool, logger: database.logger)
            let changed = Migration(number: 1, name: "apps", sql: "CREATE TABLE apps (other text)")
            let failure = try await code {
                try await Migrator(migrations: [changed, Self.second], lockKey: 1).run(pool, logger: database.logger)
            }
            #expect(failure == .migration)
            #expect(try await Migrator(migrations: [Self.second], lockKey: 1).missing(in: pool) == [2])
        }
    }

    @Test func aFailedMigrationLeavesNothingAndKeepsTheOnesBefore() async throws {
        try await withDatabase { database in
            let pool = try database.pool()
            let migrator = Migrator(migrations: [Self.first, Self.second, Self.broken], lockKey: 1)
            #expect(try await code { try await migrator.run(pool, logger: database.logger) } == .dataException)
            #expect(try await migrator.missing(in: pool) == [3])
            #expect(try await code { try await pool.execute("SELECT 1 FROM half") } == .invalidStatement)
            let rest = Migrator(migrations: [Self.first, Self.second], lockKey: 1)
            #expect(try await rest.run(pool, logger: database.logger) == 0, "the lock is free again")
        }
    }
}

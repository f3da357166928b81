import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct TransactionTests {
    private struct Refusal: Error {}

    private func counter(in database: TestDatabase, size: Int = 4) async throws -> PostgresPool {
        let pool = try database.pool(size: size)
        try await pool.execute("CREATE TABLE counters (name text PRIMARY KEY, value int NOT NULL)")
        try await pool.execute("INSERT INTO counters VALUES ('a', 0)")
        return pool
    }

    private func value(_ pool: PostgresPool) async throws -> Int {
        try await pool.query("SELECT value FROM counters WHERE name = 'a'").one().decode("value")
    }

    @Test func whatReturnsIsCommitted() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database)
            let changed = try await pool.withTransaction { transaction in
                try await transaction.execute("UPDATE counters SET value = 5")
            }
            #expect(changed == 1)
            #expect(try await value(pool) == 5)
        }
    }

    @Test func whatThrowsIsRolledBack() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            await #expect(throws: Refusal.self) {
                try await pool.withTransaction { transaction in
                    try await transaction.execute("UPDATE counters SET value = 5")
                    throw Refusal()
                }
            }
            #expect(try await value(pool) == 0)
        }
    }

    @Test func aHiddenFailureDoesNotCommit() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            let failure = try await code {
                try await pool.withTransaction { transaction in
                    try await transaction.execute("UPDATE counters SET value = 5")
                    #expect(try await code { try await transaction.execute("SELECT 1 / 0") } == .dataException)
                }
            }
            #expect(failure == .invalidStatement)
            #expect(try await value(pool) == 0)
        }
    }

    @Test func aCancelledBodyIsRolledBack() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            let (started, signal) = AsyncStream<Void>.makeStream()
            let task = Task {
                try await pool.withTransaction { transaction in
                    try await transaction.execute("UPDATE counters SET value = 5")
                    signal.yield()
                    try await transaction.execute("SELECT pg_sleep(60)")
                }
            }
            for await _ in started { break }
            task.cancel()
            #expect(await #expect(throws: PostgresError.self) { try await task.value }?.code == .cancelled)
            #expect(try await value(pool) == 0)
        }
    }

    @Test func conflictsAreRunAgain() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 6)
            try await withThrowingTaskGroup { group in
                for _ in 0..<6 {
                    group.addTask {
                        for _ in 0..<10 {
                            try await pool.withTransaction(isolation: .serializable, attempts: 200) { transaction in
                                let now: Int = try await transaction.query("SELECT value FROM counters").one()
                                    .decode("value")
                                try await transaction.execute("UPDATE counters SET value = \(now + 1)")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await value(pool) == 60)
        }
    }

    @Test func aConflictIsReportedWhenAttemptsAreUsedUp() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database)
            let failure = try await code {
                try await pool.withTransaction(isolation: .repeatableRead) { transaction in
                    _ = try await transaction.query("SELECT value FROM counters")
                    try await pool.execute("UPDATE counters SET value = value + 1")
                    try await transaction.execute("UPDATE counters SET value = value + 10")
                }
            }
            #expect(failure == .serializationFailure)
            #expect(try await value(pool) == 1)
        }
    }

    @Test func aConnectionLostInsideLeavesNothing() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            let other = try database.pool(size: 1)
            let failure = try await code {
                try await pool.withTransaction { transaction in
                    try await transaction.execute("UPDATE counters SET value = 5")
                    let pid: Int = try await transaction.query("SELECT pg_backend_pid() AS pid").one().decode("pid")
                    try await other.execute("SELECT pg_terminate_backend(\(pid))")
                    try await transaction.execute("UPDATE counters SET value = 6")
                }
            }
            #expect(failure == .connectionLost)
            #expect(try await value(pool) == 0)
        }
    }

    @Test func aConnectionLostInCommitIsInDoubt() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            let other = try database.pool(size: 1)
            let failure = try await code {
                try await pool.withTransaction { transaction in
                    let pid: Int = try await transaction.query("SELECT pg_backend_pid() AS pid").one().decode("pid")
                    try await other.execute("SELECT pg_terminate_backend(\(pid))")
                }
            }
            #expect(failure == .commitOutcomeUnknown)
            #expect(try await value(pool) == 0)
        }
    }

    @Test func aTransactionThatEscapesIsClosed() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            let escaped = try await pool.withTransaction { $0 }
            #expect(try await code { try await escaped.execute("UPDATE counters SET value = 9") } == .closed)
            #expect(try await value(pool) == 0)
        }
    }

    @Test func childTasksShareATransaction() async throws {
        try await withDatabase { database in
            let pool = try await counter(in: database, size: 1)
            try await pool.withTransaction { transaction in
                try await withThrowingTaskGroup { group in
                    for _ in 0..<20 {
                        group.addTask { try await transaction.execute("UPDATE counters SET value = value + 1") }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await value(pool) == 20)
        }
    }
}

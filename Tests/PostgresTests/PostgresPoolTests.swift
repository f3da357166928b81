import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct PostgresPoolTests {
    @Test func manyCallersShareFewConnections() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 3)
            let backends = try await withThrowingTaskGroup(of: [Int].self) { group in
                for number in 0..<40 {
                    group.addTask {
                        var seen: [Int] = []
                        for step in 0..<25 {
                            let row = try await pool.query(
                                "SELECT \(number * 100 + step)::int AS value, pg_backend_pid() AS pid"
                            ).one()
                            #expect(try row.decode("value") == number * 100 + step)
                            seen.append(try row.decode("pid"))
                        }
                        return seen
                    }
                }
                return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
            }
            #expect((1...3).contains(backends.count))
        }
    }

    @Test func anExhaustedPoolAnswersInTime() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1, acquireLimit: .seconds(1))
            try await pool.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                #expect(try await code { try await pool.ping() } == .poolExhausted)
            }
            try await pool.ping()
        }
    }

    @Test func aWaitingCallerMayGiveUp() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            try await pool.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                let waiting = Task { try await pool.ping() }
                waiting.cancel()
                #expect(await #expect(throws: PostgresError.self) { try await waiting.value }?.code == .cancelled)
            }
        }
    }

    @Test func cancellationStopsTheStatementOnTheServer() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 2)
            let slow = Task { try await pool.execute("SELECT pg_sleep(60) /* slow one */") }
            let isRunning: SQL = """
                SELECT count(*) AS running FROM pg_stat_activity
                WHERE query LIKE '%slow one%' AND state = 'active' AND pid <> pg_backend_pid()
                """
            try await eventually { try await pool.query(isRunning).one().decode("running") == 1 }
            slow.cancel()
            #expect(await #expect(throws: PostgresError.self) { try await slow.value }?.code == .cancelled)
            try await eventually { try await pool.query(isRunning).one().decode("running") == 0 }
        }
    }

    @Test func aStatementEndsAtItsLimitAndTheConnectionLives() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let before: Int = try await pool.query("SELECT pg_backend_pid() AS pid").one().decode("pid")
            let slow: SQL = "SELECT pg_sleep(60)"
            #expect(try await code { try await pool.execute(slow.limited(to: .milliseconds(100))) } == .timeout)
            let after: Int = try await pool.query("SELECT pg_backend_pid() AS pid").one().decode("pid")
            #expect(before == after)
        }
    }

    @Test func aSilentServerDoesNotHoldItsCallersForever() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: try database.serverPort)
            let pool = try database.pool(size: 1, port: proxy.port)
            try await pool.ping()
            proxy.setSilent(true)
            let query: SQL = "SELECT 1"
            #expect(try await code { try await pool.execute(query.limited(to: .milliseconds(200))) } == .timeout)
            proxy.setSilent(false)
            try await pool.ping()
        }
    }

    @Test func aBackendKilledInAQueryIsReportedAndReplaced() async throws {
        try await withDatabase { database in
            let victims = try database.pool(size: 1)
            let other = try database.pool(size: 1)
            let pid: Int = try await victims.query("SELECT pg_backend_pid() AS pid").one().decode("pid")
            let running = Task { try await victims.execute("SELECT pg_sleep(60)") }
            try await eventually {
                try await other.query("SELECT state FROM pg_stat_activity WHERE pid = \(pid)").one().decode("state")
                    == "active"
            }
            try await other.execute("SELECT pg_terminate_backend(\(pid))")
            #expect(await #expect(throws: PostgresError.self) { try await running.value }?.code == .connectionLost)
            let next: Int = try await victims.query("SELECT pg_backend_pid() AS pid").one().decode("pid")
            #expect(next != pid)
        }
    }

    @Test func aConnectionLostAtRestIsReplacedUnnoticed() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: try database.serverPort)
            let pool = try database.pool(size: 2, port: proxy.port)
            for _ in 0..<20 {
                try await pool.ping()
                proxy.cut()
                try await eventually { proxy.connectionCount == 0 }
            }
        }
    }

    @Test func aDatabaseAwayAtStartIsWaitedFor() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: try database.serverPort, isOpen: false)
            let pool = try database.pool(size: 2, port: proxy.port, acquireLimit: .milliseconds(300))
            #expect(try await code { try await pool.ping() } == .unavailable)
            try proxy.accept()
            try await eventually { try await code { try await pool.ping() } == nil }
            proxy.refuse()
            #expect(try await code { for _ in 0..<3 { try await pool.ping() } } != nil)
            try proxy.accept()
            try await eventually { try await code { try await pool.ping() } == nil }
        }
    }

    @Test func manyCallersSurviveConnectionsCutAgainAndAgain() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: try database.serverPort)
            let pool = try database.pool(size: 4, port: proxy.port)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        var done = 0
                        for number in 0..<200 {
                            let failure = try await code {
                                let row = try await pool.query("SELECT \(number)::int AS n").one()
                                #expect(try row.decode("n") == number)
                            }
                            #expect(failure == nil || failure == .connectionLost || failure == .unavailable)
                            if failure == nil { done += 1 }
                        }
                        return done
                    }
                }
                for _ in 0..<5 {
                    try await eventually { proxy.connectionCount > 0 }
                    proxy.cut()
                }
                let done = try await group.reduce(0, +)
                #expect(done > 2000)
            }
        }
    }

    @Test func aSchemaChangeDoesNotBreakPreparedStatements() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            try await pool.execute("CREATE TABLE things (a int)")
            let all: SQL = "SELECT things.* FROM things"
            _ = try await pool.query(all)
            try await pool.execute("ALTER TABLE things ADD COLUMN b int")
            try await pool.execute("INSERT INTO things VALUES (1, 2)")
            #expect(try await pool.query(all).one().decode("b") == 2)
        }
    }

    @Test func moreStatementsThanAConnectionKeepsPrepared() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            for number in 0..<600 {
                let text: SQL = "SELECT 1 AS \(identifier: "c\(number % 300)")"
                #expect(try await pool.query(text).one().decode("c\(number % 300)") == 1)
            }
            let kept: Int = try await pool.query("SELECT count(*) AS n FROM pg_prepared_statements").one().decode("n")
            #expect(kept <= 257)
        }
    }

    @Test func aClosedPoolRefuses() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 2)
            let slow = Task { try await pool.execute("SELECT pg_sleep(0.2)") }
            try await pool.ping()
            pool.close()
            #expect(try await code { try await pool.ping() } == .closed)
            let ended = try await code { _ = try await slow.value }
            #expect(ended == nil || ended == .closed)
        }
    }
}

import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct PostgresNotificationsTests {
    @Test func messagesArriveAfterTheFirstResync() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let notifications = PostgresNotifications(url: database.url, logger: database.logger)
            var iterator = notifications.listen("outbox").makeAsyncIterator()
            #expect(await iterator.next() == .resync)
            try await pool.execute("SELECT pg_notify('outbox', 'one')")
            try await pool.execute("SELECT pg_notify('other', 'not heard')")
            try await pool.execute("SELECT pg_notify('outbox', 'two')")
            #expect(await iterator.next() == .message(payload: "one"))
            #expect(await iterator.next() == .message(payload: "two"))
        }
    }

    @Test func alateListenerJoinsTheSameConnection() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let notifications = PostgresNotifications(url: database.url, logger: database.logger)
            var first = notifications.listen("a").makeAsyncIterator()
            #expect(await first.next() == .resync)
            var second = notifications.listen("b").makeAsyncIterator()
            #expect(await second.next() == .resync)
            try await pool.execute("SELECT pg_notify('b', 'x')")
            #expect(await second.next() == .message(payload: "x"))
            let count: Int = try await pool.query(
                """
                SELECT count(*) AS n FROM pg_stat_activity
                WHERE application_name = 'workflow-listen' AND datname = current_database()
                """
            ).one().decode("n")
            #expect(count == 1)
        }
    }

    @Test func aLostConnectionIsFollowedByAResync() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let notifications = PostgresNotifications(url: database.url, logger: database.logger)
            var iterator = notifications.listen("outbox").makeAsyncIterator()
            #expect(await iterator.next() == .resync)
            try await pool.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'workflow-listen' AND datname = current_database()
                """)
            #expect(await iterator.next() == .resync)
            try await pool.execute("SELECT pg_notify('outbox', 'again')")
            #expect(await iterator.next() == .message(payload: "again"))
        }
    }

    @Test func theStreamEndsWithItsOwner() async throws {
        try await withDatabase { database in
            var notifications: PostgresNotifications? = PostgresNotifications(
                url: database.url, logger: database.logger)
            var iterator = try #require(notifications).listen("outbox").makeAsyncIterator()
            #expect(await iterator.next() == .resync)
            notifications = nil
            #expect(await iterator.next() == nil)
        }
    }

    @Test func whoComesWhileChannelsChangeIsWelcomedAtOnce() async throws {
        try await withDatabase { database in
            let notifications = PostgresNotifications(url: database.url, logger: database.logger)
            let slowest = try await withThrowingTaskGroup(of: Duration.self) { group in
                for listener in 0..<3 {
                    group.addTask {
                        var slowest = Duration.zero
                        for _ in 0..<300 {
                            let start = ContinuousClock.now
                            // Each end makes the channel one nobody listens to, or nearly.
                            for await event in notifications.listen("channel \(listener)") {
                                #expect(event == .resync)
                                break
                            }
                            slowest = max(slowest, .now - start)
                        }
                        return slowest
                    }
                }
                return try await group.reduce(.zero, max)
            }
            #expect(slowest < .seconds(5))
        }
    }
}

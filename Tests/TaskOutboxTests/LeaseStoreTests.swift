import ConcurrencyPrimitives
import FoundationEssentials
import Postgres
import PostgresTestSupport
import TaskOutbox
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct LeaseStoreTests {
    private func withStore(_ body: @Sendable (LeaseStore, PostgresPool) async throws -> Void) async throws {
        try await withScratchDatabase { database in
            let pool = database.pool(size: 8)
            try await Migrator(migrations: TaskOutboxMigrations.all, lockKey: 1).run(pool, logger: database.logger)
            try await body(LeaseStore(pool: pool), pool)
        }
    }

    @Test func oneHolderAtATimeAndGrowingFences() async throws {
        try await withStore { store, _ in
            let first = try #require(try await store.acquire("app", holder: "a", for: .seconds(30)))
            #expect(try await store.acquire("app", holder: "b", for: .seconds(30)) == nil)
            #expect(try await store.acquire("other", holder: "b", for: .seconds(30)) != nil)
            try await store.release("app", fence: first)
            let second = try #require(try await store.acquire("app", holder: "b", for: .seconds(30)))
            #expect(second > first)
            try await store.release("app", fence: first)
            #expect(try await store.renew("app", fence: second, for: .seconds(30)))
            #expect(try await store.renew("app", fence: first, for: .seconds(30)) == false)
        }
    }

    @Test func fencesGrowUnderContention() async throws {
        try await withStore { store, _ in
            let fences = try await withThrowingTaskGroup(of: [Int].self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        var mine: [Int] = []
                        while mine.count < 10 {
                            if let fence = try await store.acquire("app", holder: "w\(worker)", for: .seconds(30)) {
                                mine.append(fence)
                                try await store.release("app", fence: fence)
                            }
                        }
                        return mine
                    }
                }
                return try await group.reduce(into: [Int]()) { $0 += $1 }
            }
            #expect(Set(fences).count == 60)
            #expect(fences.max() == 60)
        }
    }

    @Test func aHeldLeaseIsRefused() async throws {
        try await withStore { store, _ in
            let refusal = try await store.withLease("app", holder: "a") { _ in
                await #expect(throws: LeaseHeld(key: "app")) {
                    _ = try await store.withLease("app", holder: "b") { _ in Issue.record("two holders") }
                }
            }
            #expect(refusal != nil)
            let fence = try await store.withLease("app", holder: "b") { $0 }
            #expect(fence == 2)
        }
    }

    @Test func aLostLeaseCancelsItsHolder() async throws {
        try await withStore { store, pool in
            await #expect(throws: LeaseLost(key: "app")) {
                try await store.withLease("app", holder: "a", for: .milliseconds(600)) { _ in
                    try await pool.execute("UPDATE leases SET fence = fence + 1, holder = 'b' WHERE key = 'app'")
                    try await Task.sleep(for: .seconds(60))
                }
            }
        }
    }
}

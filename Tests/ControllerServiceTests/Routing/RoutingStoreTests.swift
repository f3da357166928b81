import FoundationEssentials
import Postgres
import PostgresTestSupport
import TestSupport
import Testing

@testable import ControllerService

/// The routing table, made from rows in a real database.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct RoutingStoreTests {
    private let store = RoutingStore(platformDomain: "apps.test")

    /// Runs `body` with a migrated database that holds the apps `names`.
    private func withApps(
        _ names: [String], _ body: @Sendable (PostgresPool, [String: UUID]) async throws -> Void
    ) async throws {
        try await withScratchDatabase { database in
            let pool = database.pool()
            try await Migrator(migrations: ControllerMigrations.all, lockKey: ControllerMigrations.lockKey)
                .run(pool, logger: database.logger)
            let workspace = UUID()
            try await pool.execute(
                "INSERT INTO workspaces (uuid, id, email) VALUES (\(workspace), 'acme1', 'a@example.com')")
            try await pool.execute(
                """
                INSERT INTO apps (uuid, id, workspace)
                SELECT gen_random_uuid(), name, \(workspace) FROM unnest(\(names)::text[]) AS name
                """)
            var apps: [String: UUID] = [:]
            for row in try await pool.query("SELECT id, uuid FROM apps") {
                apps[try row.decode("id")] = try row.decode("uuid", as: UUID.self)
            }
            try await body(pool, apps)
        }
    }

    private func setEndpoint(_ pod: String, of app: UUID?, port: Int, in pool: PostgresPool) async throws {
        try await pool.execute(
            """
            INSERT INTO endpoints (pod, port, app, ptype, release, address, state)
            VALUES (\(pod), \(port), \(try #require(app)), 'web', 1, '10.0.0.1', 'ready')
            """)
    }

    private func changes(since known: Int, in pool: PostgresPool) async throws -> RoutingChanges {
        try await store.refresh(pool)
        guard case .changes(let changes) = try #require(try await store.news(since: known, in: pool)) else {
            throw WholeTable()
        }
        return changes
    }

    private func table(since known: Int, in pool: PostgresPool) async throws -> RoutingTable? {
        try await store.refresh(pool)
        guard case .table(let table) = try await store.news(since: known, in: pool) else { return nil }
        return table
    }

    private struct WholeTable: Error {}

    @Test func aChangeIsTheHostsThatDifferAndNothingElse() async throws {
        try await withApps(["ant", "bee", "cat"]) { pool, apps in
            let first = try await store.refresh(pool)
            #expect(try await store.refresh(pool) == first)
            try await setEndpoint("bee-1", of: apps["bee"], port: 8080, in: pool)
            let changed = try await changes(since: first, in: pool)
            #expect(changed.version == first + 1)
            #expect(changed.since == first)
            #expect(changed.hosts.map(\.host) == ["bee.apps.test"])
            #expect(changed.hosts.first?.state == .serving)
            #expect(changed.hosts.first?.backends == [.init(address: "10.0.0.1", port: 8080)])
            #expect(changed.removed.isEmpty)
            #expect(try await store.news(since: changed.version, in: pool) == nil)
        }
    }

    @Test func rowsThatLeadToTheSameTableMakeNoVersion() async throws {
        try await withApps(["ant"]) { pool, apps in
            try await setEndpoint("ant-1", of: apps["ant"], port: 8080, in: pool)
            let version = try await store.refresh(pool)
            try await pool.execute("UPDATE endpoints SET updated = now() + interval '1 hour'")
            #expect(try await store.refresh(pool) == version)
        }
    }

    @Test func aDomainThatMovesToAnotherAppGoesWithIt() async throws {
        try await withApps(["ant", "bee"]) { pool, apps in
            let ant = try #require(apps["ant"])
            let bee = try #require(apps["bee"])
            try await pool.execute("INSERT INTO domains (app, domain, ptype) VALUES (\(ant), 'www.shop.test', 'web')")
            let before = try await store.refresh(pool)
            try await pool.withTransaction { transaction in
                try await transaction.execute("DELETE FROM domains")
                try await transaction.execute(
                    "INSERT INTO domains (app, domain, ptype) VALUES (\(bee), 'www.shop.test', 'web')")
            }
            let moved = try await changes(since: before, in: pool)
            #expect(moved.hosts.map(\.host) == ["www.shop.test"])
            #expect(moved.hosts.map(\.app) == ["bee"])
            #expect(moved.removed.isEmpty)
        }
    }

    @Test func anAppThatGoesTakesItsHostsAlongAndMayComeBack() async throws {
        try await withApps(["ant", "bee"]) { pool, apps in
            let ant = try #require(apps["ant"])
            try await pool.execute("INSERT INTO domains (app, domain, ptype) VALUES (\(ant), 'www.ant.test', 'web')")
            let before = try await store.refresh(pool)
            try await pool.execute("DELETE FROM apps WHERE uuid = \(ant)")
            let gone = try await changes(since: before, in: pool)
            #expect(gone.hosts.isEmpty)
            #expect(gone.removed == ["ant.apps.test", "www.ant.test"])
            #expect(try await table(since: 0, in: pool)?.hosts.map(\.host) == ["bee.apps.test"])
            try await pool.execute(
                """
                INSERT INTO apps (uuid, id, workspace) SELECT gen_random_uuid(), 'ant', workspace FROM apps
                """)
            let back = try await changes(since: gone.version, in: pool)
            #expect(back.hosts.map(\.host) == ["ant.apps.test"])
            #expect(back.removed.isEmpty)
            // Who missed both learns the outcome.
            let both = try await changes(since: before, in: pool)
            #expect(both.hosts.map(\.host) == ["ant.apps.test"])
            #expect(both.removed == ["www.ant.test"])
        }
    }

    @Test func settingsAndTLSChangeTheirAppsHosts() async throws {
        try await withApps(["ant", "bee"]) { pool, apps in
            let ant = try #require(apps["ant"])
            try await setEndpoint("ant-1", of: ant, port: 8080, in: pool)
            var version = try await store.refresh(pool)
            try await pool.execute(
                "INSERT INTO app_settings (uuid, app, routable) VALUES (\(UUID()), \(ant), false)")
            let maintenance = try await changes(since: version, in: pool)
            #expect(maintenance.hosts.map(\.state) == [.maintenance])
            version = maintenance.version
            try await pool.execute(
                """
                INSERT INTO app_tls (uuid, app, https_enforced, issuer_sealed, issuer_key_id)
                VALUES (\(UUID()), \(ant), true, '', '')
                """)
            #expect(try await changes(since: version, in: pool).hosts.map(\.https) == [.enforced])
        }
    }

    @Test func anotherPlatformDomainRenamesEveryApp() async throws {
        try await withApps(["ant", "bee"]) { pool, _ in
            let before = try await store.refresh(pool)
            let moved = RoutingStore(platformDomain: "example.org")
            try await moved.refresh(pool)
            guard case .changes(let changes) = try await moved.news(since: before, in: pool) else { throw WholeTable() }
            #expect(changes.hosts.map(\.host) == ["ant.example.org", "bee.example.org"])
            #expect(changes.removed == ["ant.apps.test", "bee.apps.test"])
        }
    }

    @Test func aVersionNobodyRemembersGetsTheWholeTable() async throws {
        try await withApps(["ant", "bee"]) { pool, apps in
            let version = try await store.refresh(pool)
            #expect(try await table(since: 0, in: pool)?.hosts.count == 2)
            // A database restored from a backup has an older version than the router.
            #expect(try await table(since: version + 7, in: pool)?.version == version)
            try await pool.execute("UPDATE routing_state SET version = version + \(RoutingStore.remembered)")
            try await setEndpoint("ant-1", of: apps["ant"], port: 8080, in: pool)
            #expect(try await table(since: version, in: pool)?.hosts.count == 2)
            #expect(try await changes(since: version + RoutingStore.remembered, in: pool).hosts.count == 1)
            // A router from before changes were sent.
            let news = try await store.news(since: version + RoutingStore.remembered, takesChanges: false, in: pool)
            guard case .table = news else { throw WholeTable() }
        }
    }

    /// What one deploy costs the controller on a platform of ten thousand apps.
    @Test func oneChangeAmongTenThousandAppsIsFound() async throws {
        try await withApps((0..<10_000).map { "app-\($0)" }) { pool, apps in
            var version = try await store.refresh(pool)
            #expect(try await table(since: 0, in: pool)?.hosts.count == 10_000)
            var times: [Duration] = []
            var wholeTimes: [Duration] = []
            for port in 1...11 {
                try await setEndpoint("app-7777-\(port)", of: apps["app-7777"], port: port, in: pool)
                let start = ContinuousClock.now
                let changes = try await changes(since: version, in: pool)
                times.append(ContinuousClock.now - start)
                let wholeStart = ContinuousClock.now
                #expect(try await table(since: 0, in: pool)?.hosts.count == 10_000)
                wholeTimes.append(ContinuousClock.now - wholeStart)
                #expect(changes.hosts.map(\.host) == ["app-7777.apps.test"])
                version = changes.version
            }
            let median = times.sorted()[times.count / 2]
            let whole = wholeTimes.sorted()[wholeTimes.count / 2]
            print("change among 10000 apps in the controller: median \(median), the whole table \(whole)")
            // A few milliseconds alone, and hundreds for the whole table; both slow down beside other tests.
            #expect(median < whole / 4, "\(times) against \(wholeTimes)")
        }
    }
}

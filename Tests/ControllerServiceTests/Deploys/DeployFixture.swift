import CurlTransfer
import FoundationEssentials
import Logging
import OpenSSLCrypto
import PlatformModel
import Postgres
import PostgresTestSupport
import TaskOutbox

@testable import ControllerService

/// An app with its rows in a real database, a worker and an engine in memory.
struct DeployFixture: Sendable {
    let pool: PostgresPool
    let engine = MemoryEngine()
    let app: UUID
    let converger: AppConverger
    let jobs: JobKeeper
    let configs: ConfigStore
    private let routing: RoutingStore

    static func run(_ body: @Sendable (DeployFixture) async throws -> Void) async throws {
        try await withScratchDatabase { database in
            let pool = database.pool(size: 6)
            try await Migrator(migrations: ControllerMigrations.all, lockKey: ControllerMigrations.lockKey)
                .run(pool, logger: database.logger)
            let fixture = try await DeployFixture(database, pool)
            // A router that confirms every table at once.
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await fixture.confirmRoutes(database) }
                defer { group.cancelAll() }
                try await body(fixture)
            }
        }
    }

    private init(_ database: ScratchDatabase, _ pool: PostgresPool) async throws {
        self.pool = pool
        let vault = Vault(box: try AESGCMBox(key: SecureRandom.bytes(32)))
        configs = ConfigStore(vault: vault)
        routing = RoutingStore(platformDomain: "workflow.test")
        app = UUID()
        let workspace = UUID()
        try await pool.execute(
            "INSERT INTO workspaces (uuid, id, email) VALUES (\(workspace), 'acme1', 'a@example.com')")
        try await pool.execute(
            "INSERT INTO apps (uuid, id, workspace, structure) VALUES (\(app), 'shopping', \(workspace), '{}')")
        let notifications = PostgresNotifications(url: database.url, logger: database.logger)
        let plans = ReleasePlans(pool: pool, configs: configs, limits: .standard)
        let turns = AppTurns(leases: LeaseStore(pool: pool), notifications: notifications, holder: WorkerIdentity())
        converger = AppConverger(
            pool: pool, engine: engine,
            routes: RouteSwitch(pool: pool, notifications: notifications, store: routing), plans: plans, turns: turns,
            readyLimit: .seconds(5), appURL: { "http://\($0).workflow.test" }, credentials: { _ in nil },
            logger: database.logger)
        jobs = JobKeeper(
            pool: pool, engine: engine, plans: plans, turns: turns, credentials: { _ in nil },
            log: AppLog(
                url: "http://127.0.0.1:1", client: try HTTPClient(), credentials: nil, logger: database.logger),
            logger: database.logger)
    }

    var leaseKey: String { "app:\(app.uuidString.lowercased())" }

    /// Another worker on the same rows and engine, which waits as long for others.
    func converger(patience: Duration) -> AppConverger {
        let turns = converger.turns
        return AppConverger(
            pool: pool, engine: engine, routes: converger.routes, plans: converger.plans,
            turns: AppTurns(
                leases: turns.leases, notifications: turns.notifications, holder: WorkerIdentity(),
                patience: patience),
            readyLimit: converger.readyLimit, appURL: converger.appURL, credentials: converger.credentials,
            logger: converger.logger)
    }

    private func confirmRoutes(_ database: ScratchDatabase) async throws {
        let feed = RoutingFeed(
            pool: pool, notifications: PostgresNotifications(url: database.url, logger: database.logger),
            store: routing)
        var version = 0
        while !Task.isCancelled {
            guard let news = try await feed.news(since: version, waiting: .seconds(30)) else { continue }
            version = news.version
            try await feed.confirm(version)
        }
    }

    /// Adds a build, a config and a release of `image`, with a deployment of it.
    @discardableResult
    func push(_ image: String, procfile: [String: String] = [:]) async throws -> Deployment {
        try await pool.withTransaction { transaction in
            let build = UUID()
            try await transaction.execute(
                """
                INSERT INTO builds (uuid, app, image, stack, sha, procfile, dockerfile, port)
                VALUES (\(build), \(app), \(image), 'container', '8f3c2a1b', \(json: procfile), 'FROM scratch', 8080)
                """)
            let config = try await configs.insert(ConfigDocument(), app: app, in: transaction)
            let release = try await ReleaseStore().insert(
                NewRelease(app: app, config: config.uuid, build: build, summary: "acme1 deployed 8f3c2a1"),
                in: transaction)
            let ptypes = procfile.isEmpty ? ["web"] : procfile.keys.sorted()
            return try await DeploymentStore().open(
                .init(
                    app: app, release: release.uuid,
                    generation: try await AppStore().advanceGeneration(of: app, in: transaction), ptypes: ptypes,
                    isForced: false, requestedBy: "ada", buildRun: nil),
                in: transaction)
        }
    }

    /// What a worker leaves that is killed after it has started the release's first process.
    func startUnproven(_ deployment: Deployment) async throws -> PodName {
        guard let app = try await AppStore().find(app, in: pool),
            let release = try await ReleaseStore().find(deployment.release, in: pool), let id = release.build,
            let build = try await BuildStore().find(id, in: pool)
        else { throw EngineError(.refused, "The fixture has no release.") }
        let plan = WorkloadPlan(app: app, release: release, build: build, config: ConfigDocument(), limits: .standard)
        let workload = try plan.workload(of: "web")
        return try await engine.start(workload, as: PodName(for: workload), fence: 0).name
    }

    /// A one-off command of the newest release.
    func run(_ words: [String], timeout: Int = 3600, expires: Int = 3600) async throws -> RunJob {
        let found = try await ReleaseStore().newest(of: app, in: pool)
        guard let release = found else { throw EngineError(.refused, "The fixture has no release.") }
        let job = RunJob(
            uuid: UUID(), app: app, pod: "shopping-run-\(SecureRandom.text(5, from: "bcdfgh"))", release: release.uuid,
            ptype: "run", arguments: words, timeout: timeout, expires: expires, state: .pending)
        try await RunJobStore().insert(job, requestedBy: "ada", in: pool)
        return job
    }

    func scale(_ counts: [String: Int]) async throws {
        try await pool.withTransaction { transaction in
            try await AppStore().setStructure(Structure(counts), of: app, in: transaction)
        }
    }

    func deployment(_ uuid: UUID) async throws -> Deployment.State? {
        try await DeploymentStore().find(uuid, in: pool)?.state
    }

    /// Addresses the edge sends requests to.
    func backends() async throws -> [RoutingTable.Host.Backend] {
        try await routing.refresh(pool)
        guard case .table(let table) = try await routing.news(since: -1, in: pool) else { return [] }
        return table.hosts.first { $0.host == "shopping.workflow.test" }?.backends ?? []
    }
}

import FoundationEssentials
import PlatformModel
import Postgres

/// A wish to run a release: what the API wants, and what became of it.
///
/// A newer deployment of an app supersedes the open ones. The worker reads the newest and makes it true.
struct Deployment: Sendable, Equatable {
    enum State: String, Sendable, PostgresDecodable, PostgresEncodable {
        case pending, running, succeed, crashed, superseded

        var isOpen: Bool { self == .pending || self == .running }
    }

    let uuid: UUID
    let app: UUID
    let release: UUID
    /// The app's generation this wish made.
    let generation: Int
    /// Process types to replace; the others stay as they are.
    let ptypes: [String]
    let isForced: Bool
    let state: State
    let requestedBy: String
    let buildRun: UUID?
    let created: Date
}

/// Deployments of apps.
struct DeploymentStore: Sendable {
    init() {}

    private static let columns: SQL = """
        deployments.uuid, deployments.app, deployments.release, deployments.generation, deployments.ptypes,
        deployments.forced, deployments.state, deployments.requested_by, deployments.build_run, deployments.created
        """

    private static func deployment(_ row: Row) throws(PostgresError) -> Deployment {
        Deployment(
            uuid: try row.decode("uuid"), app: try row.decode("app"), release: try row.decode("release"),
            generation: try row.decode("generation"), ptypes: try row.decode("ptypes"),
            isForced: try row.decode("forced"), state: try row.decode("state"),
            requestedBy: try row.decode("requested_by"), buildRun: try row.decode("build_run"),
            created: try row.decode("created"))
    }

    /// The newest deployment that has not ended; at most one per app is open.
    func open(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Deployment? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM deployments
            WHERE app = \(app) AND state IN ('pending', 'running') ORDER BY generation DESC LIMIT 1
            """)
        guard let row = rows.first else { return nil }
        return try Self.deployment(row)
    }

    func find(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Deployment? {
        let rows = try await executor.query("SELECT \(sql: Self.columns) FROM deployments WHERE uuid = \(uuid)")
        guard let row = rows.first else { return nil }
        return try Self.deployment(row)
    }

    /// Process types that open deployments are still replacing, without those of `release`'s own older wishes.
    func busyPtypes(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [String] {
        let rows = try await executor.query(
            """
            SELECT DISTINCT unnest(ptypes) AS ptype FROM deployments
            WHERE app = \(app) AND state IN ('pending', 'running') ORDER BY 1
            """)
        return try rows.map { (row) throws(PostgresError) in try row.decode("ptype") }
    }

    /// A deployment to be made.
    struct Request: Sendable {
        let app: UUID
        let release: UUID
        let generation: Int
        let ptypes: [String]
        let isForced: Bool
        let requestedBy: String
        let buildRun: UUID?
    }

    /// Announces that an app has a newer deployment; the payload is the app's id.
    static let channel = "deployments"

    /// Pushes whose deployments are still open, newest first.
    func openBuildRuns(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [UUID] {
        let rows = try await executor.query(
            """
            SELECT build_run FROM deployments
            WHERE app = \(app) AND state IN ('pending', 'running') AND build_run IS NOT NULL ORDER BY generation DESC
            """)
        return try rows.map { (row) throws(PostgresError) in try row.decode("build_run") }
    }

    /// Supersedes the open deployments of the app, takes over their process types, and opens this one.
    func open(_ request: Request, in transaction: some SQLExecutor) async throws(PostgresError) -> Deployment {
        let superseded = try await transaction.query(
            """
            UPDATE deployments SET state = 'superseded', finished = now()
            WHERE app = \(request.app) AND state IN ('pending', 'running') RETURNING ptypes
            """)
        _ = try await transaction.query(
            "SELECT pg_notify(\(Self.channel), \(request.app.uuidString.lowercased()))")
        var ptypes = Set(request.ptypes)
        for row in superseded { ptypes.formUnion(try row.decode("ptypes", as: [String].self)) }
        let rows = try await transaction.query(
            """
            INSERT INTO deployments (uuid, app, release, generation, ptypes, forced, requested_by, build_run)
            VALUES (\(UUID()), \(request.app), \(request.release), \(request.generation), \(ptypes.sorted()),
                \(request.isForced), \(request.requestedBy), \(request.buildRun))
            RETURNING \(sql: Self.columns)
            """)
        return try Self.deployment(try rows.one())
    }

    /// - Returns: false when the deployment has been superseded or has ended meanwhile.
    func begin(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Bool {
        try await executor.execute(
            """
            UPDATE deployments SET state = 'running', started = coalesce(started, now())
            WHERE uuid = \(uuid) AND state IN ('pending', 'running')
            """) == 1
    }

    /// - Returns: false when the deployment has been superseded or has ended meanwhile.
    func finish(
        _ uuid: UUID, state: Deployment.State, exception: String?, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Bool {
        try await executor.execute(
            """
            UPDATE deployments SET state = \(state), exception = \(exception), finished = now()
            WHERE uuid = \(uuid) AND state IN ('pending', 'running')
            """) == 1
    }
}

import FoundationEssentials
import Postgres

/// What the worker alone reads and writes about an app's deployments.
struct DeployStore: Sendable {
    init() {}

    /// For each process type the release that was deployed last with success.
    func deployedReleases(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [String: UUID] {
        let rows = try await executor.query(
            """
            SELECT DISTINCT ON (ptype) ptype, release
            FROM deployments, unnest(ptypes) AS ptype
            WHERE app = \(app) AND state = 'succeed' ORDER BY ptype, generation DESC
            """)
        var releases: [String: UUID] = [:]
        for row in rows { releases[try row.decode("ptype")] = try row.decode("release") }
        return releases
    }

    /// When processes of each type were last asked to be replaced by fresh ones.
    func restartStamps(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [String: Date] {
        let rows = try await executor.query("SELECT restarts FROM apps WHERE uuid = \(app)")
        guard let row = rows.first else { return [:] }
        return try row.decode(json: "restarts", as: [String: Double].self).mapValues { Date(timeIntervalSince1970: $0) }
    }

    func setLive(
        _ release: UUID, generation: Int, of app: UUID, in transaction: Transaction
    ) async throws(PostgresError) {
        try await transaction.execute(
            """
            UPDATE apps SET live_release = \(release),
                observed_generation = greatest(observed_generation, \(generation))
            WHERE uuid = \(app)
            """)
    }

    /// Apps that should run something, and apps whose removal is not finished.
    func appsToConverge(in executor: some SQLExecutor) async throws(PostgresError) -> [UUID] {
        let rows = try await executor.query(
            """
            SELECT uuid FROM apps WHERE live_release IS NOT NULL OR EXISTS (
                SELECT 1 FROM deployments WHERE deployments.app = apps.uuid AND state IN ('pending', 'running'))
            UNION SELECT uuid FROM destroyed_apps ORDER BY 1
            """)
        return try rows.map { (row) throws(PostgresError) in try row.decode("uuid") }
    }
}

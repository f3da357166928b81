import FoundationEssentials
import PlatformModel
import Postgres

extension Release.State: PostgresDecodable, PostgresEncodable {}

/// Releases of apps, newest first.
struct ReleaseStore: Sendable {
    init() {}

    private static let columns: SQL = """
        releases.uuid, releases.app, releases.version, releases.state, releases.summary, releases.failed,
        releases.exception, releases.conditions, releases.deployed_ptypes, releases.config, releases.build,
        releases.created, releases.updated
        """

    private static func release(_ row: Row) throws(PostgresError) -> Release {
        Release(
            uuid: try row.decode("uuid"), app: try row.decode("app"), version: try row.decode("version"),
            state: try row.decode("state"), summary: try row.decode("summary"), failed: try row.decode("failed"),
            exception: try row.decode("exception"), conditions: try row.decode(json: "conditions"),
            deployedPtypes: try row.decode("deployed_ptypes"), config: try row.decode("config"),
            build: try row.decode("build"), created: try row.decode("created"), updated: try row.decode("updated"))
    }

    private func first(_ rows: Rows) throws(PostgresError) -> Release? {
        guard let row = rows.first else { return nil }
        return try Self.release(row)
    }

    func find(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Release? {
        try first(try await executor.query("SELECT \(sql: Self.columns) FROM releases WHERE uuid = \(uuid)"))
    }

    func find(
        version: Int, of app: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Release? {
        guard Int32(exactly: version) != nil else { return nil }
        return try first(
            try await executor.query(
                "SELECT \(sql: Self.columns) FROM releases WHERE app = \(app) AND version = \(version)"))
    }

    func newest(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Release? {
        try first(
            try await executor.query(
                """
                SELECT \(sql: Self.columns) FROM releases WHERE app = \(app) ORDER BY version DESC LIMIT 1
                """))
    }

    /// The newest release that did not fail; with autorollback off the newest of all.
    func latestGood(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Release? {
        try first(
            try await executor.query(
                """
                SELECT \(sql: Self.columns) FROM releases
                WHERE app = \(app) AND (NOT failed OR NOT coalesce((
                    SELECT autorollback FROM app_settings WHERE app = \(app) ORDER BY sequence DESC LIMIT 1), true))
                ORDER BY version DESC LIMIT 1
                """))
    }

    /// The release before `release` that counts as deployed: with autorollback on one that succeeded, else any.
    ///
    /// - Parameter release: nil for a release that is about to be made.
    func previous(
        to release: ReleaseNumber?, of app: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Release? {
        try first(
            try await executor.query(
                """
                SELECT \(sql: Self.columns) FROM releases
                WHERE app = \(app) AND version <> \(release?.value ?? 0)
                    AND (NOT failed AND state = 'succeed' OR NOT coalesce((
                        SELECT autorollback FROM app_settings WHERE app = \(app) ORDER BY sequence DESC LIMIT 1), true))
                ORDER BY version DESC LIMIT 1
                """))
    }

    /// Releases newest first; `ptypes` keeps those that deployed all of them.
    func page(
        of app: UUID, ptypes: [String], _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<Release> {
        let filter: SQL = "FROM releases WHERE app = \(app) AND deployed_ptypes @> \(ptypes)::text[]"
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) \(sql: filter)
            ORDER BY version DESC LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total \(sql: filter)")
        return Page(items: try rows.map(Self.release), total: try total.one().decode("total"))
    }

    /// Gives the next number; the app's row must be locked by the same transaction.
    func insert(_ new: NewRelease, in transaction: some SQLExecutor) async throws(PostgresError) -> Release {
        let rows = try await transaction.query(
            """
            INSERT INTO releases (uuid, app, version, summary, config, build)
            SELECT \(UUID())::uuid, \(new.app)::uuid, coalesce(max(version), 0) + 1, \(new.summary)::text,
                \(new.config)::uuid, \(new.build)::uuid
            FROM releases WHERE app = \(new.app)::uuid
            RETURNING \(sql: Self.columns)
            """)
        return try Self.release(try rows.one())
    }

    func addDeployed(
        _ ptypes: [String], to release: UUID, in transaction: some SQLExecutor
    ) async throws(PostgresError) {
        try await transaction.execute(
            """
            UPDATE releases SET deployed_ptypes = (
                SELECT coalesce(array_agg(DISTINCT ptype ORDER BY ptype), '{}')
                FROM unnest(deployed_ptypes || \(ptypes)::text[]) AS ptype), updated = now()
            WHERE uuid = \(release)
            """)
    }

    /// Records how a deploy of the release ended; its newest condition stands first.
    func record(
        _ condition: Release.Condition, of release: UUID, in transaction: some SQLExecutor
    ) async throws(PostgresError) {
        try await transaction.execute(
            """
            UPDATE releases SET state = \(condition.state), failed = \(condition.state == .crashed),
                exception = \(condition.exception),
                conditions = jsonb_build_array(\(json: condition)::jsonb) || conditions,
                updated = now()
            WHERE uuid = \(release)
            """)
    }
}

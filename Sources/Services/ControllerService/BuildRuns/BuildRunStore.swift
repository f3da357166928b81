import FoundationEssentials
import PlatformModel
import Postgres

/// Build runs: their state, their lease and their fence.
struct BuildRunStore: Sendable {
    /// Seconds a claim lasts unless renewed.
    static let leaseSeconds = 60.0

    init() {}

    private static let columns: SQL = """
        build_runs.uuid, build_runs.app, build_runs.number, build_runs.username, build_runs.sha, build_runs.ref,
        build_runs.message, build_runs.source_key, build_runs.source_digest, build_runs.source_size, build_runs.state,
        build_runs.fence, build_runs.holder, build_runs.lease_expires, build_runs.cancel_requested, build_runs.build,
        build_runs.release, build_runs.reason, build_runs.created, build_runs.started, build_runs.finished
        """

    private static func run(_ row: Row) throws(PostgresError) -> BuildRun {
        BuildRun(
            uuid: try row.decode("uuid"), app: try row.decode("app"), number: try row.decode("number"),
            username: try row.decode("username"), sha: try row.decode("sha"), ref: try row.decode("ref"),
            message: try row.decode("message"), sourceKey: try row.decode("source_key"),
            sourceDigest: try row.decode("source_digest"), sourceSize: try row.decode("source_size"),
            state: try row.decode("state"), fence: try row.decode("fence"), holder: try row.decode("holder"),
            leaseExpires: try row.decode("lease_expires"), isCancelRequested: try row.decode("cancel_requested"),
            build: try row.decode("build"), release: try row.decode("release"), reason: try row.decode("reason"),
            created: try row.decode("created"), started: try row.decode("started"),
            finished: try row.decode("finished"))
    }

    private func first(_ rows: Rows) throws(PostgresError) -> BuildRun? {
        guard let row = rows.first else { return nil }
        return try Self.run(row)
    }

    func find(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> BuildRun? {
        try first(try await executor.query("SELECT \(sql: Self.columns) FROM build_runs WHERE uuid = \(uuid)"))
    }

    /// The run as it is now, locked until the transaction ends.
    func lock(_ uuid: UUID, in transaction: some SQLExecutor) async throws(PostgresError) -> BuildRun? {
        try first(
            try await transaction.query("SELECT \(sql: Self.columns) FROM build_runs WHERE uuid = \(uuid) FOR UPDATE"))
    }

    func find(number: Int, of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> BuildRun? {
        guard Int32(exactly: number) != nil else { return nil }
        return try first(
            try await executor.query(
                "SELECT \(sql: Self.columns) FROM build_runs WHERE app = \(app) AND number = \(number)"))
    }

    /// The run whose release this is.
    func find(release: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> BuildRun? {
        try first(
            try await executor.query(
                """
                SELECT \(sql: Self.columns) FROM build_runs WHERE release = \(release) ORDER BY number DESC LIMIT 1
                """))
    }

    func page(
        of app: UUID, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<BuildRun> {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM build_runs WHERE app = \(app)
            ORDER BY number DESC LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total FROM build_runs WHERE app = \(app)")
        return Page(items: try rows.map(Self.run), total: try total.one().decode("total"))
    }

    /// A push to be recorded.
    struct New: Sendable, Equatable {
        let app: UUID
        let username: String
        let sha: String
        let ref: String
        let message: String
        let sourceKey: String
        let sourceDigest: String
        let sourceSize: Int
    }

    func find(sha: String, sourceKey: String, app: UUID, in executor: some SQLExecutor) async throws(PostgresError)
        -> BuildRun?
    {
        try first(
            try await executor.query(
                """
                SELECT \(sql: Self.columns) FROM build_runs
                WHERE app = \(app) AND sha = \(sha) AND source_key = \(sourceKey)
                """))
    }

    /// Those of the given source bundles that a run still has to build.
    func neededSources(
        among keys: [String], in executor: some SQLExecutor
    ) async throws(PostgresError) -> [String] {
        try await executor.query(
            """
            SELECT DISTINCT source_key FROM build_runs
            WHERE source_key = ANY(\(keys)) AND state IN ('queued', 'building', 'publishing')
            """
        ).map { row throws(PostgresError) in try row.decode("source_key") }
    }

    /// Gives the next number; the app's row must be locked by the same transaction.
    func insert(_ new: New, in transaction: some SQLExecutor) async throws(PostgresError) -> BuildRun {
        let rows = try await transaction.query(
            """
            INSERT INTO build_runs (uuid, app, number, username, sha, ref, message, source_key, source_digest,
                source_size)
            SELECT \(UUID())::uuid, \(new.app)::uuid, coalesce(max(number), 0) + 1, \(new.username)::text,
                \(new.sha)::text, \(new.ref)::text, \(new.message)::text, \(new.sourceKey)::text,
                \(new.sourceDigest)::text, \(new.sourceSize)::bigint
            FROM build_runs WHERE app = \(new.app)::uuid
            RETURNING \(sql: Self.columns)
            """)
        return try Self.run(try rows.one())
    }

    /// Open runs of the app with a lower number than `number`.
    func openRuns(
        of app: UUID, before number: Int, in transaction: some SQLExecutor
    ) async throws(PostgresError) -> [BuildRun] {
        try await transaction.query(
            """
            SELECT \(sql: Self.columns) FROM build_runs
            WHERE app = \(app) AND number < \(number) AND state IN ('queued', 'building', 'publishing', 'deploying')
            ORDER BY number FOR UPDATE
            """
        ).map(Self.run)
    }

    /// Takes or renews the claim for `holder`; the run must be locked by the same transaction.
    func claim(
        _ uuid: UUID, holder: String, in transaction: some SQLExecutor
    ) async throws(PostgresError) -> BuildRun {
        let rows = try await transaction.query(
            """
            UPDATE build_runs SET fence = fence + 1, holder = \(holder),
                lease_expires = now() + make_interval(secs => \(Self.leaseSeconds)),
                state = CASE WHEN state = 'queued' THEN 'building' ELSE state END,
                started = coalesce(started, now()), updated = now()
            WHERE uuid = \(uuid) RETURNING \(sql: Self.columns)
            """)
        return try Self.run(try rows.one())
    }

    /// Renews the lease of the claim with this fence.
    ///
    /// - Returns: nil when another claim took over or the run has ended.
    func renew(
        _ uuid: UUID, fence: Int, in executor: some SQLExecutor
    ) async throws(PostgresError) -> BuildRun? {
        try first(
            try await executor.query(
                """
                UPDATE build_runs SET lease_expires = now() + make_interval(secs => \(Self.leaseSeconds)),
                    updated = now()
                WHERE uuid = \(uuid) AND fence = \(fence) AND state IN ('building', 'publishing')
                RETURNING \(sql: Self.columns)
                """))
    }

    func setState(
        _ state: BuildRun.State, of uuid: UUID, reason: String? = nil, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        try await executor.execute(
            """
            UPDATE build_runs SET state = \(state), reason = coalesce(\(reason), reason), updated = now(),
                finished = CASE WHEN \(state.isTerminal) THEN coalesce(finished, now()) ELSE finished END,
                lease_expires = CASE WHEN \(state.isTerminal) THEN NULL ELSE lease_expires END
            WHERE uuid = \(uuid)
            """)
    }

    func requestCancel(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            "UPDATE build_runs SET cancel_requested = true, updated = now() WHERE uuid = \(uuid)")
    }

    func attach(
        build: UUID, release: UUID?, to uuid: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        try await executor.execute(
            """
            UPDATE build_runs SET build = \(build), release = \(release), state = 'deploying', updated = now()
            WHERE uuid = \(uuid)
            """)
    }
}

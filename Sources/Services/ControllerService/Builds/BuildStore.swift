import FoundationEssentials
import PlatformModel
import Postgres

/// Builds of apps.
struct BuildStore: Sendable {
    init() {}

    private static let columns: SQL = """
        builds.uuid, builds.app, builds.image, builds.stack, builds.sha, builds.procfile, builds.dryccfile,
        builds.dockerfile, builds.port, builds.size, builds.created, builds.updated
        """

    private static func build(_ row: Row) throws(PostgresError) -> Build {
        Build(
            uuid: try row.decode("uuid"), app: try row.decode("app"),
            content: BuildContent(
                image: try row.decode("image"), stack: try row.decode("stack"), sha: try row.decode("sha"),
                procfile: try row.decode(json: "procfile"), dryccfile: try row.decode("dryccfile"),
                dockerfile: try row.decode("dockerfile"), port: try row.decode("port"), size: try row.decode("size")),
            created: try row.decode("created"), updated: try row.decode("updated"))
    }

    func find(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Build? {
        let rows = try await executor.query("SELECT \(sql: Self.columns) FROM builds WHERE uuid = \(uuid)")
        guard let row = rows.first else { return nil }
        return try Self.build(row)
    }

    func insert(
        _ content: BuildContent, app: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Build {
        let rows = try await executor.query(
            """
            INSERT INTO builds (uuid, app, image, stack, sha, procfile, dryccfile, dockerfile, port, size)
            VALUES (\(UUID()), \(app), \(content.image), \(content.stack), \(content.sha), \(json: content.procfile),
                \(json: content.dryccfile), \(content.dockerfile), \(content.port), \(content.size))
            RETURNING \(sql: Self.columns)
            """)
        return try Self.build(try rows.one())
    }
}

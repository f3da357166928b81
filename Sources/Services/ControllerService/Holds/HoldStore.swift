import FoundationEssentials
import PlatformModel
import Postgres

/// What the registry was and was not told yet about the images of releases.
struct HoldStore: Sendable {
    /// Announces releases whose images are not held yet, and repositories of destroyed apps.
    static let channel = "image_holds"

    private static let columns: SQL = """
        releases.uuid, apps.id AS app, releases.version, builds.image, builds.stack, builds.sha, builds.procfile,
        builds.dryccfile, builds.dockerfile
        """
    private static let tables: SQL = """
        releases JOIN apps ON apps.uuid = releases.app JOIN builds ON builds.uuid = releases.build
        """

    private static func release(_ row: Row) throws(PostgresError) -> HeldRelease {
        let content = BuildContent(
            image: try row.decode("image"), stack: try row.decode("stack"), sha: try row.decode("sha"),
            procfile: try row.decode(json: "procfile"), dryccfile: try row.decode("dryccfile"),
            dockerfile: try row.decode("dockerfile"))
        return HeldRelease(
            uuid: try row.decode("uuid"), app: try row.decode("app"), version: try row.decode("version"),
            images: BuildOffer(content).images)
    }

    func isSettled(in executor: some SQLExecutor) async throws(PostgresError) -> Bool {
        try await executor.query(
            """
            SELECT NOT EXISTS (SELECT 1 FROM releases WHERE NOT images_held AND build IS NOT NULL)
                AND NOT EXISTS (SELECT 1 FROM abandoned_images) AS settled
            """
        ).one().decode("settled")
    }

    /// Releases whose images are not held yet, oldest first.
    func unheld(limit: Int, in executor: some SQLExecutor) async throws(PostgresError) -> [HeldRelease] {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM \(sql: Self.tables)
            WHERE NOT releases.images_held ORDER BY releases.created LIMIT \(limit)
            """)
        return try rows.map(Self.release)
    }

    func releases(of app: AppName, in executor: some SQLExecutor) async throws(PostgresError) -> [HeldRelease] {
        let rows = try await executor.query(
            "SELECT \(sql: Self.columns) FROM \(sql: Self.tables) WHERE apps.id = \(app)")
        return try rows.map(Self.release)
    }

    func markHeld(_ release: UUID, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("UPDATE releases SET images_held = true WHERE uuid = \(release)")
    }

    /// The apps that have something to hold.
    func apps(in executor: some SQLExecutor) async throws(PostgresError) -> [AppName] {
        let rows = try await executor.query(
            """
            SELECT id FROM apps WHERE EXISTS (
                SELECT 1 FROM releases WHERE releases.app = apps.uuid AND build IS NOT NULL) ORDER BY id
            """)
        return try rows.map { (row) throws(PostgresError) in try row.decode("id") }
    }

    /// Notes that nobody needs the images of an app any more; a new app of its name says otherwise by its releases.
    func abandon(_ app: AppName, in transaction: some SQLExecutor) async throws(PostgresError) {
        try await transaction.execute(
            "INSERT INTO abandoned_images (app) VALUES (\(app)) ON CONFLICT (app) DO UPDATE SET created = now()")
    }

    func abandoned(in executor: some SQLExecutor) async throws(PostgresError) -> [AbandonedImages] {
        let rows = try await executor.query("SELECT app, created::text AS created FROM abandoned_images ORDER BY app")
        return try rows.map { (row) throws(PostgresError) in
            AbandonedImages(app: try row.decode("app"), stamp: try row.decode("created"))
        }
    }

    /// Forgets a note unless it was made again meanwhile.
    func forget(_ images: AbandonedImages, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            "DELETE FROM abandoned_images WHERE app = \(images.app) AND created::text = \(images.stamp)")
    }
}

/// A note that an app is gone and its images need no longer be held.
struct AbandonedImages: Sendable, Equatable {
    let app: AppName
    /// Tells this note from a later one.
    let stamp: String
}

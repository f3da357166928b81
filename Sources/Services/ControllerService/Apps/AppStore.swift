import FoundationEssentials
import PlatformModel
import Postgres

/// Apps and the role a person has in each through its workspace.
struct AppStore: Sendable {
    init() {}

    private static let columns: SQL = """
        apps.uuid, apps.id, apps.uid, workspaces.id AS workspace_id, apps.workspace, apps.structure, apps.generation,
        apps.observed_generation, apps.live_release, apps.created, apps.updated
        """

    private static func app(_ row: Row) throws(PostgresError) -> App {
        App(
            uuid: try row.decode("uuid"), id: try row.decode("id"), uid: try row.decode("uid"),
            workspace: try row.decode("workspace_id"), workspaceUUID: try row.decode("workspace"),
            structure: Structure(try row.decode(json: "structure")), generation: try row.decode("generation"),
            observedGeneration: try row.decode("observed_generation"), liveRelease: try row.decode("live_release"),
            created: try row.decode("created"), updated: try row.decode("updated"))
    }

    func find(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> App? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM apps JOIN workspaces ON workspaces.uuid = apps.workspace
            WHERE apps.uuid = \(uuid)
            """)
        guard let row = rows.first else { return nil }
        return try Self.app(row)
    }

    func find(named name: AppName, in executor: some SQLExecutor) async throws(PostgresError) -> App? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM apps JOIN workspaces ON workspaces.uuid = apps.workspace
            WHERE apps.id = \(name)
            """)
        guard let row = rows.first else { return nil }
        return try Self.app(row)
    }

    /// The app and the role of a person in it; a person outside its workspace has none.
    func find(
        named name: AppName, for user: User, in executor: some SQLExecutor
    ) async throws(PostgresError) -> (app: App, role: Role?)? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns), workspace_members.role
            FROM apps JOIN workspaces ON workspaces.uuid = apps.workspace
            LEFT JOIN workspace_members
                ON workspace_members.workspace = apps.workspace AND workspace_members.owner = \(user.id)
            WHERE apps.id = \(name)
            """)
        guard let row = rows.first else { return nil }
        return (try Self.app(row), try row.decode("role", as: Role?.self))
    }

    /// The app as it is now, locked until the transaction ends, so that changes of one app follow one another.
    func lock(_ uuid: UUID, in transaction: some SQLExecutor) async throws(PostgresError) -> App? {
        let rows = try await transaction.query(
            """
            SELECT \(sql: Self.columns) FROM apps JOIN workspaces ON workspaces.uuid = apps.workspace
            WHERE apps.uuid = \(uuid) FOR UPDATE OF apps
            """)
        guard let row = rows.first else { return nil }
        return try Self.app(row)
    }

    /// Apps of the workspaces a person belongs to, by name; `workspace` and a name's beginning narrow it.
    func page(
        for user: User, workspace: UUID?, prefix: String, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<App> {
        let filter: SQL = """
            FROM apps JOIN workspaces ON workspaces.uuid = apps.workspace
            WHERE EXISTS (SELECT 1 FROM workspace_members m WHERE m.workspace = apps.workspace AND m.owner = \(user.id))
                AND (\(workspace)::uuid IS NULL OR apps.workspace = \(workspace)::uuid)
                AND starts_with(apps.id, \(prefix))
            """
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) \(sql: filter)
            ORDER BY apps.id LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total \(sql: filter)")
        return Page(items: try rows.map(Self.app), total: try total.one().decode("total"))
    }

    /// Names of all apps of the workspaces a person belongs to.
    func names(for user: User, in executor: some SQLExecutor) async throws(PostgresError) -> [String] {
        let rows = try await executor.query(
            """
            SELECT apps.id FROM apps JOIN workspace_members m ON m.workspace = apps.workspace
            WHERE m.owner = \(user.id) ORDER BY apps.id
            """)
        return try rows.map { (row) throws(PostgresError) in try row.decode("id") }
    }

    func insert(
        _ name: AppName, workspace: UUID, structure: Structure, in transaction: some SQLExecutor
    ) async throws -> UUID {
        let uuid = UUID()
        let leaving = try await transaction.query("SELECT 1 AS found FROM destroyed_apps WHERE id = \(name)")
        guard leaving.isEmpty else {
            throw Refusal.field("id", "Application with this id is still being removed, try again in a moment.")
        }
        do throws(PostgresError) {
            try await transaction.execute(
                """
                INSERT INTO apps (uuid, id, workspace, structure)
                VALUES (\(uuid), \(name), \(workspace), \(json: structure.counts))
                """)
        } catch {
            guard error.constraint == "apps_id_key" else { throw error }
            throw Refusal.field("id", "Application with this id already exists.")
        }
        return uuid
    }

    func setStructure(
        _ structure: Structure, of app: UUID, in transaction: some SQLExecutor
    ) async throws(PostgresError) {
        try await transaction.execute(
            "UPDATE apps SET structure = \(json: structure.counts), updated = now() WHERE uuid = \(app)")
    }

    /// Notes that processes of these types shall be replaced by fresh ones; the worker compares the stamps.
    func requestRestart(
        of ptypes: [String], app: UUID, in transaction: some SQLExecutor
    ) async throws(PostgresError) {
        try await transaction.execute(
            """
            UPDATE apps SET restarts = restarts || (
                SELECT coalesce(jsonb_object_agg(ptype, extract(epoch FROM clock_timestamp())), '{}')
                FROM unnest(\(ptypes)::text[]) AS ptype), updated = now()
            WHERE uuid = \(app)
            """)
    }

    /// Counts a change of what the app should look like.
    func advanceGeneration(of app: UUID, in transaction: some SQLExecutor) async throws(PostgresError) -> Int {
        try await transaction.query(
            "UPDATE apps SET generation = generation + 1, updated = now() WHERE uuid = \(app) RETURNING generation"
        ).one().decode("generation")
    }

    func transfer(_ app: UUID, to workspace: UUID, in transaction: some SQLExecutor) async throws(PostgresError) {
        try await transaction.execute(
            "UPDATE apps SET workspace = \(workspace), updated = now() WHERE uuid = \(app)")
    }

    /// Removes the app's rows and leaves a note for the worker to remove what runs.
    func destroy(_ app: App, by user: String, in transaction: some SQLExecutor) async throws(PostgresError) {
        try await transaction.execute(
            "INSERT INTO destroyed_apps (uuid, id, destroyed_by) VALUES (\(app.uuid), \(app.id), \(user))")
        // Releases reference configs and builds without cascade, so that none can lose its parts while the app lives.
        try await transaction.execute("DELETE FROM releases WHERE app = \(app.uuid)")
        try await HoldStore().abandon(app.id, in: transaction)
        try await transaction.execute("DELETE FROM apps WHERE uuid = \(app.uuid)")
    }

    /// The name of an app whose removal is under way; nil when nothing is left to do.
    func destroyedName(
        _ uuid: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> AppName? {
        let rows = try await executor.query("SELECT id FROM destroyed_apps WHERE uuid = \(uuid)")
        guard let row = rows.first else { return nil }
        return try row.decode("id")
    }

    /// Forgets a removed app once nothing of it runs; its name may be taken again.
    func finishDestruction(of uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM destroyed_apps WHERE uuid = \(uuid)")
    }
}

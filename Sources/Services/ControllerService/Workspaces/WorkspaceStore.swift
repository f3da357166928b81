import FoundationEssentials
import PlatformModel
import Postgres

/// Workspaces, and the role a person has in each.
struct WorkspaceStore: Sendable {
    private static let columns: SQL = """
        workspaces.uuid, workspaces.id, workspaces.uid, workspaces.email, workspaces.created, workspaces.updated
        """

    private static func workspace(_ row: Row) throws(PostgresError) -> Workspace {
        Workspace(
            uuid: try row.decode("uuid"), id: try row.decode("id"), uid: try row.decode("uid"),
            email: try row.decode("email"), created: try row.decode("created"), updated: try row.decode("updated"))
    }

    func find(
        _ name: String, for user: User, in executor: some SQLExecutor
    ) async throws(PostgresError) -> (workspace: Workspace, role: Role?)? {
        // PostgreSQL's text has no zero byte, so no workspace has one in its name.
        guard !name.utf8.contains(0) else { return nil }
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns), workspace_members.role FROM workspaces
            LEFT JOIN workspace_members
                ON workspace_members.workspace = workspaces.uuid AND workspace_members.owner = \(user.id)
            WHERE workspaces.id = \(name)
            """)
        guard let row = rows.first else { return nil }
        return (try Self.workspace(row), try row.decode("role"))
    }

    func page(
        for user: User, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<Workspace> {
        let filter: SQL = """
            FROM workspaces JOIN workspace_members ON workspace_members.workspace = workspaces.uuid
            WHERE workspace_members.owner = \(user.id)
            """
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) \(sql: filter)
            ORDER BY workspaces.id LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total \(sql: filter)")
        return Page(items: try rows.map(Self.workspace), total: try total.one().decode("total"))
    }

    /// - Throws: ``Refusal`` 400 when the name is taken.
    func insert(_ name: WorkspaceName, email: String, in executor: some SQLExecutor) async throws -> Workspace {
        do throws(PostgresError) {
            return try Self.workspace(
                try await executor.query(
                    """
                    INSERT INTO workspaces (uuid, id, email) VALUES (\(UUID()), \(name), \(email))
                    RETURNING \(sql: Self.columns)
                    """
                ).one())
        } catch {
            guard error.constraint == "workspaces_id_key" else { throw error }
            throw Refusal.field("id", "Workspace with this id already exists.")
        }
    }

    func update(
        _ uuid: UUID, email: String, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Workspace {
        try Self.workspace(
            try await executor.query(
                """
                UPDATE workspaces SET email = \(email), updated = now() WHERE uuid = \(uuid)
                RETURNING \(sql: Self.columns)
                """
            ).one())
    }

    /// Names of the apps the workspace owns.
    func appNames(of uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [AppName] {
        try await executor.query("SELECT id FROM apps WHERE workspace = \(uuid) ORDER BY id")
            .map { (row) throws(PostgresError) in try row.decode("id") }
    }

    func delete(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM workspaces WHERE uuid = \(uuid)")
    }
}

import FoundationEssentials
import PlatformModel
import Postgres

/// Members of workspaces.
struct MemberStore: Sendable {
    private static let columns: SQL = """
        workspace_members.id, users.id AS user_id, users.username, users.email, workspaces.id AS workspace_id,
        workspace_members.role, workspace_members.alerts, workspace_members.created, workspace_members.updated
        """
    private static let tables: SQL = """
        workspace_members JOIN users ON users.id = workspace_members.owner
        JOIN workspaces ON workspaces.uuid = workspace_members.workspace
        """

    private static func member(_ row: Row) throws(PostgresError) -> WorkspaceMember {
        WorkspaceMember(
            id: try row.decode("id"), userID: try row.decode("user_id"), username: try row.decode("username"),
            email: try row.decode("email"), workspace: try row.decode("workspace_id"), role: try row.decode("role"),
            alerts: try row.decode("alerts"), created: try row.decode("created"), updated: try row.decode("updated"))
    }

    func page(
        of workspace: UUID, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<WorkspaceMember> {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM \(sql: Self.tables) WHERE workspace_members.workspace = \(workspace)
            ORDER BY users.username LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        return Page(items: try rows.map(Self.member), total: try await count(of: workspace, in: executor))
    }

    func count(of workspace: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Int {
        try await executor.query("SELECT count(*) AS total FROM workspace_members WHERE workspace = \(workspace)")
            .one().decode("total")
    }

    /// Locks the workspace's members until the transaction ends, so that two of them cannot remove each other.
    func lock(_ workspace: UUID, in transaction: some SQLExecutor) async throws(PostgresError) {
        _ = try await transaction.query(
            "SELECT id FROM workspace_members WHERE workspace = \(workspace) ORDER BY id FOR UPDATE")
    }

    func find(
        _ username: String, of workspace: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> WorkspaceMember? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM \(sql: Self.tables)
            WHERE workspace_members.workspace = \(workspace) AND users.username = \(username)
            """)
        guard let row = rows.first else { return nil }
        return try Self.member(row)
    }

    func hasMember(
        withEmail email: String, in workspace: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Bool {
        let rows = try await executor.query(
            """
            SELECT 1 AS found FROM \(sql: Self.tables)
            WHERE workspace_members.workspace = \(workspace) AND lower(users.email) = lower(\(email))
            """)
        return !rows.isEmpty
    }

    func insert(
        _ user: Int, role: Role, into workspace: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        try await executor.execute(
            """
            INSERT INTO workspace_members (workspace, owner, role) VALUES (\(workspace), \(user), \(role))
            ON CONFLICT (workspace, owner) DO NOTHING
            """)
    }

    func update(
        _ member: Int, role: Role, alerts: Bool, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        try await executor.execute(
            """
            UPDATE workspace_members SET role = \(role), alerts = \(alerts), updated = now() WHERE id = \(member)
            """)
    }

    func delete(_ member: Int, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM workspace_members WHERE id = \(member)")
    }
}

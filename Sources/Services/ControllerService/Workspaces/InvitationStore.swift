import FoundationEssentials
import OpenSSLCrypto
import PlatformModel
import Postgres

/// Invitations to workspaces.
struct InvitationStore: Sendable {
    private static let columns: SQL = """
        workspace_invitations.id, users.username, workspaces.id AS workspace_id, workspace_invitations.email,
        workspace_invitations.token, workspace_invitations.created, workspace_invitations.accepted
        """

    private static func invitation(_ row: Row) throws(PostgresError) -> WorkspaceInvitation {
        WorkspaceInvitation(
            id: try row.decode("id"), inviter: try row.decode("username"), workspace: try row.decode("workspace_id"),
            email: try row.decode("email"), token: try row.decode("token"), created: try row.decode("created"),
            accepted: try row.decode("accepted"))
    }

    /// Invitations nobody has accepted yet.
    func page(
        of workspace: UUID, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<WorkspaceInvitation> {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM workspace_invitations
            JOIN users ON users.id = workspace_invitations.inviter
            JOIN workspaces ON workspaces.uuid = workspace_invitations.workspace
            WHERE workspace_invitations.workspace = \(workspace) AND NOT workspace_invitations.accepted
            ORDER BY workspace_invitations.id LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query(
            """
            SELECT count(*) AS total FROM workspace_invitations WHERE workspace = \(workspace) AND NOT accepted
            """)
        return Page(items: try rows.map(Self.invitation), total: try total.one().decode("total"))
    }

    /// The open invitation of an address, or a new one in place of an accepted one.
    func invite(
        email: String, to workspace: UUID, by user: User, in transaction: some SQLExecutor
    ) async throws(PostgresError) -> WorkspaceInvitation {
        try await transaction.execute(
            """
            DELETE FROM workspace_invitations
            WHERE workspace = \(workspace) AND lower(email) = lower(\(email)) AND accepted
            """)
        return try Self.invitation(
            try await transaction.query(
                """
                WITH workspace_invitations AS (
                    INSERT INTO workspace_invitations AS open (workspace, email, token, inviter)
                    VALUES (\(workspace), \(email), \(SecureRandom.hex(64)), \(user.id))
                    ON CONFLICT (workspace, lower(email)) DO UPDATE SET email = open.email
                    RETURNING id, inviter, workspace, email, token, created, accepted
                )
                SELECT \(sql: Self.columns) FROM workspace_invitations
                JOIN users ON users.id = workspace_invitations.inviter
                JOIN workspaces ON workspaces.uuid = workspace_invitations.workspace
                """
            ).one())
    }

    /// Marks an open invitation accepted and brings in the person who owns the address, if they are known.
    ///
    /// - Returns: nil when there is no open invitation of that token; else whether the person is known.
    func accept(
        token: String, of workspace: String, in transaction: some SQLExecutor
    ) async throws(PostgresError) -> Bool? {
        let rows = try await transaction.query(
            """
            UPDATE workspace_invitations SET accepted = true FROM workspaces
            WHERE workspaces.uuid = workspace_invitations.workspace AND workspaces.id = \(workspace)
                AND workspace_invitations.token = \(token) AND NOT workspace_invitations.accepted
            RETURNING workspace_invitations.id, workspace_invitations.workspace, workspace_invitations.email
            """)
        guard let row = rows.first else { return nil }
        let joined = try await transaction.query(
            """
            INSERT INTO workspace_members (workspace, owner, role)
            SELECT \(try row.decode("workspace", as: UUID.self)), id, 'member' FROM users
            WHERE lower(email) = lower(\(try row.decode("email", as: String.self))) AND email_verified
            ON CONFLICT (workspace, owner) DO UPDATE SET updated = workspace_members.updated RETURNING id
            """)
        guard !joined.isEmpty else { return false }
        // Redeemed: kept, it would bring the person back after they were removed.
        try await transaction.execute(
            "DELETE FROM workspace_invitations WHERE id = \(try row.decode("id", as: Int.self))")
        return true
    }

    /// - Returns: whether there was such an invitation.
    func delete(
        token: String, of workspace: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Bool {
        try await executor.execute(
            "DELETE FROM workspace_invitations WHERE workspace = \(workspace) AND token = \(token)") == 1
    }
}

import PlatformModel
import Postgres

/// The local copy of the provider's people.
struct UserStore: Sendable {
    init() {}

    static let columns: SQL = """
        users.id, users.username, users.email, users.first_name, users.last_name, users.is_staff, users.is_superuser,
        users.is_active, users.last_login, users.date_joined
        """

    static func user(_ row: Row) throws(PostgresError) -> User {
        User(
            id: try row.decode("id"), username: try row.decode("username"), email: try row.decode("email"),
            firstName: try row.decode("first_name"), lastName: try row.decode("last_name"),
            isStaff: try row.decode("is_staff"), isSuperuser: try row.decode("is_superuser"),
            isActive: try row.decode("is_active"), lastLogin: try row.decode("last_login"),
            dateJoined: try row.decode("date_joined"))
    }

    /// Inserts or refreshes a person, and makes memberships of the invitations they accepted before they existed.
    ///
    /// A user name that moved to another person at the provider is taken from the old row first. Only a verified
    /// address turns invitations into memberships.
    func upsert(_ info: UserInfo, in executor: some SQLExecutor) async throws(PostgresError) -> User {
        try await executor.execute(
            """
            UPDATE users SET username = username || '~' || id, is_active = false
            WHERE username = \(info.username) AND id <> \(info.id)
            """)
        let rows = try await executor.query(
            """
            INSERT INTO users (id, username, email, email_verified, first_name,
                last_name, is_staff, is_superuser, is_active)
            VALUES (\(info.id), \(info.username), \(info.email), \(info.emailVerified), \(info.firstName),
                \(info.lastName), \(info.isStaff), \(info.isSuperuser), \(info.isActive))
            ON CONFLICT (id) DO UPDATE SET username = excluded.username, email = excluded.email,
                email_verified = excluded.email_verified,
                first_name = excluded.first_name, last_name = excluded.last_name, is_staff = excluded.is_staff,
                is_superuser = excluded.is_superuser, is_active = excluded.is_active, last_login = now()
            RETURNING \(sql: Self.columns)
            """)
        let user = try Self.user(try rows.one())
        if info.emailVerified { try await joinByInvitation(user, in: executor) }
        return user
    }

    private func joinByInvitation(_ user: User, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            """
            INSERT INTO workspace_members (workspace, owner, role)
            SELECT workspace, \(user.id), 'member' FROM workspace_invitations
            WHERE accepted AND lower(email) = lower(\(user.email))
            ON CONFLICT (workspace, owner) DO NOTHING
            """)
        // Redeemed: keeping it would bring a member back who was removed later.
        try await executor.execute(
            "DELETE FROM workspace_invitations WHERE accepted AND lower(email) = lower(\(user.email))")
    }

    func find(username: String, in executor: some SQLExecutor) async throws(PostgresError) -> User? {
        let rows = try await executor.query(
            "SELECT \(sql: Self.columns) FROM users WHERE username = \(username)")
        guard let row = rows.first else { return nil }
        return try Self.user(row)
    }
}

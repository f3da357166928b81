import FoundationEssentials
import Postgres

/// Accounts in the database.
struct UserStore: Sendable {
    private static let columns: SQL = """
        id, username, email, email_verified, first_name, last_name, is_superuser, is_staff, is_active
        """

    func user(id: Int, in executor: some SQLExecutor) async throws -> User? {
        let rows = try await executor.query("SELECT \(sql: Self.columns) FROM users WHERE id = \(id)")
        return try rows.first.map(Self.user)
    }

    /// The account of that name with its password record. Names differ by more than case.
    func credentials(
        username: String, in executor: some SQLExecutor
    ) async throws -> (user: User, password: String)? {
        let rows = try await executor.query(
            "SELECT \(sql: Self.columns), password FROM users WHERE lower(username) = lower(\(username))")
        return try rows.first.map { (try Self.user($0), try $0.decode("password")) }
    }

    /// - Throws: ``AccountError`` when the name or e-mail address is taken.
    func add(_ user: NewUser, password: String, at time: Date, in executor: some SQLExecutor) async throws -> User {
        do {
            let row = try await executor.query(
                """
                INSERT INTO users (username, email, first_name, last_name, password, is_superuser, is_staff, created_at)
                VALUES (\(user.username), \(user.email), \(user.firstName), \(user.lastName), \(password),
                    \(user.isAdministrator), \(user.isAdministrator), \(time))
                RETURNING \(sql: Self.columns)
                """
            ).one()
            return try Self.user(row)
        } catch let error as PostgresError where error.code == .uniqueViolation {
            throw error.constraint == "users_username_key" ? AccountError.usernameTaken : AccountError.emailTaken
        }
    }

    func setPassword(_ password: String, of userID: Int, in executor: some SQLExecutor) async throws {
        try await executor.execute("UPDATE users SET password = \(password) WHERE id = \(userID)")
    }

    /// Sets a new password and ends every session and token that came from the old one.
    func replacePassword(
        _ password: String, of userID: Int, reason: String, at time: Date, in pool: PostgresPool
    ) async throws {
        try await pool.withTransaction { transaction in
            try await setPassword(password, of: userID, in: transaction)
            try await SessionStore().endAll(of: userID, in: transaction)
            try await TokenStore().revokeAll(of: userID, reason: reason, at: time, in: transaction)
        }
    }

    func recordSignIn(of userID: Int, at time: Date, in executor: some SQLExecutor) async throws {
        try await executor.execute("UPDATE users SET last_login = \(time) WHERE id = \(userID)")
    }

    private static func user(_ row: Row) throws -> User {
        User(
            id: try row.decode("id"), username: try row.decode("username"), email: try row.decode("email"),
            isEmailVerified: try row.decode("email_verified"), firstName: try row.decode("first_name"),
            lastName: try row.decode("last_name"), isSuperuser: try row.decode("is_superuser"),
            isStaff: try row.decode("is_staff"), isActive: try row.decode("is_active"))
    }
}

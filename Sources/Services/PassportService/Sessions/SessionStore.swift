import FoundationEssentials
import OpenSSLCrypto
import Postgres

/// A person signed in with a browser.
struct Session: Sendable, Hashable {
    let id: UUID
    let user: User
    /// When the password was last given.
    let authenticatedAt: Date
}

/// Sessions in the database, by the hash of their token.
struct SessionStore: Sendable {
    /// Starts a session.
    /// - Returns: its token, which only the browser keeps.
    func start(
        for userID: Int, at time: Date, lifetime: Duration, in executor: some SQLExecutor
    ) async throws -> String {
        let token = SecureRandom.base64URL(32)
        let end = time.addingTimeInterval(TimeInterval(lifetime.components.seconds))
        try await executor.execute(
            """
            INSERT INTO sessions (id, token_hash, user_id, authenticated_at, expires_at)
            VALUES (\(UUID()), \(SHA256Digest.hash(token)), \(userID), \(time), \(end))
            """)
        return token
    }

    /// The session of a token, if it lasts and its user is active.
    func session(token: String, at time: Date, in executor: some SQLExecutor) async throws -> Session? {
        let rows = try await executor.query(
            """
            SELECT id, user_id, authenticated_at FROM sessions
            WHERE token_hash = \(SHA256Digest.hash(token)) AND expires_at > \(time)
            """)
        guard let row = rows.first,
            let user = try await UserStore().user(id: try row.decode("user_id"), in: executor), user.isActive
        else { return nil }
        return Session(id: try row.decode("id"), user: user, authenticatedAt: try row.decode("authenticated_at"))
    }

    func end(token: String, in executor: some SQLExecutor) async throws {
        try await executor.execute("DELETE FROM sessions WHERE token_hash = \(SHA256Digest.hash(token))")
    }

    func endAll(of userID: Int, in executor: some SQLExecutor) async throws {
        try await executor.execute("DELETE FROM sessions WHERE user_id = \(userID)")
    }
}

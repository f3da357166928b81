import FoundationEssentials
import PlatformModel
import Postgres

/// Controller tokens, found by the SHA-256 of their key.
struct TokenStore: Sendable {
    let vault: Vault

    /// What a key leads to: its owner, and when its OAuth token is due.
    struct Holder: Sendable {
        let token: UUID
        let user: User
        let refreshAfter: Date
    }

    func holder(of key: String, in executor: some SQLExecutor) async throws(PostgresError) -> Holder? {
        let rows = try await executor.query(
            """
            SELECT tokens.uuid, tokens.refresh_after, \(sql: UserStore.columns)
            FROM tokens JOIN users ON users.id = tokens.owner WHERE tokens.key_hash = \(TokenKey.hash(key))
            """)
        guard let row = rows.first else { return nil }
        return Holder(
            token: try row.decode("uuid"), user: try UserStore.user(row), refreshAfter: try row.decode("refresh_after"))
    }

    /// - Returns: the new token's identity; `key` is stored as a hash only.
    func insert(
        key: String, owner: User, alias: String, oauth: OAuthTokens, in executor: some SQLExecutor
    ) async throws -> UUID {
        let uuid = UUID()
        let sealed = try vault.seal(oauth, purpose: Self.purpose(uuid))
        try await executor.execute(
            """
            INSERT INTO tokens (uuid, owner, key_hash, fuzzy_key, alias, oauth_sealed, oauth_key_id, refresh_after)
            VALUES (\(uuid), \(owner.id), \(TokenKey.hash(key)), \(TokenKey.fuzzy(key)), \(alias), \(sealed.bytes),
                \(sealed.keyID), now() + make_interval(secs => \(Double(oauth.expiresIn))))
            """)
        return uuid
    }

    /// Lets one request of many refresh the OAuth token, because a refresh token works once.
    ///
    /// - Returns: the stored OAuth tokens when this caller may refresh, nil when another one does.
    func beginRefresh(_ token: UUID, in executor: some SQLExecutor) async throws -> OAuthTokens? {
        let rows = try await executor.query(
            """
            UPDATE tokens SET refreshing_until = now() + interval '30 seconds'
            WHERE uuid = \(token) AND refresh_after <= now() AND (refreshing_until IS NULL OR refreshing_until < now())
            RETURNING oauth_sealed
            """)
        guard let row = rows.first else { return nil }
        return try vault.open(try row.decode("oauth_sealed"), purpose: Self.purpose(token))
    }

    func finishRefresh(_ token: UUID, oauth: OAuthTokens, in executor: some SQLExecutor) async throws {
        let sealed = try vault.seal(oauth, purpose: Self.purpose(token))
        try await executor.execute(
            """
            UPDATE tokens SET oauth_sealed = \(sealed.bytes), oauth_key_id = \(sealed.keyID), updated = now(),
                refresh_after = now() + make_interval(secs => \(Double(oauth.expiresIn))), refreshing_until = NULL
            WHERE uuid = \(token)
            """)
    }

    func page(of user: User, _ page: PageRequest, in executor: some SQLExecutor) async throws -> Page<Token> {
        let rows = try await executor.query(
            """
            SELECT tokens.uuid, users.username, tokens.alias, tokens.fuzzy_key, tokens.created, tokens.updated
            FROM tokens JOIN users ON users.id = tokens.owner WHERE tokens.owner = \(user.id)
            ORDER BY tokens.created DESC, tokens.uuid LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total FROM tokens WHERE owner = \(user.id)")
        return Page(items: try rows.map(Self.token), total: try total.one().decode("total"))
    }

    func find(_ uuid: UUID, of user: User, in executor: some SQLExecutor) async throws -> Token? {
        let rows = try await executor.query(
            """
            SELECT tokens.uuid, users.username, tokens.alias, tokens.fuzzy_key, tokens.created, tokens.updated
            FROM tokens JOIN users ON users.id = tokens.owner
            WHERE tokens.owner = \(user.id) AND tokens.uuid = \(uuid)
            """)
        return try rows.first.map(Self.token)
    }

    /// - Returns: whether there was such a token of that owner.
    func delete(_ uuid: UUID, of user: User, in executor: some SQLExecutor) async throws -> Bool {
        try await executor.execute("DELETE FROM tokens WHERE uuid = \(uuid) AND owner = \(user.id)") == 1
    }

    private static func token(_ row: Row) throws(PostgresError) -> Token {
        Token(
            uuid: try row.decode("uuid"), owner: try row.decode("username"), alias: try row.decode("alias"),
            fuzzyKey: try row.decode("fuzzy_key"), created: try row.decode("created"),
            updated: try row.decode("updated"))
    }

    private static func purpose(_ token: UUID) -> String { "token:\(token.uuidString.lowercased())" }
}

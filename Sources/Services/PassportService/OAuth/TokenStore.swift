import AccessTokens
import FoundationEssentials
import OpenSSLCrypto
import Postgres

/// Everything one authorization led to: a chain of refresh tokens and the access tokens made with them.
struct TokenFamily: Sendable, Hashable {
    let id: UUID
    let clientID: String
    let userID: Int
    let scope: ScopeSet
    let authenticatedAt: Date
}

/// What an authorization code stands for.
struct CodeGrant: Sendable {
    let clientID: String
    let userID: Int
    let redirectURI: String
    let scope: ScopeSet
    let nonce: String?
    let challenge: String
    let authenticatedAt: Date
}

/// Codes, families, refresh tokens and revocations in the database; only hashes of what clients hold.
struct TokenStore: Sendable {
    /// A code as found, locked until the transaction ends.
    struct FoundCode: Sendable {
        let grant: CodeGrant
        let isExpired: Bool
        let isUsed: Bool
        let familyID: UUID?
    }

    /// A refresh token as found, locked until the transaction ends.
    struct FoundRefreshToken: Sendable {
        let family: TokenFamily
        let isExpired: Bool
        let isUsed: Bool
        let isFamilyRevoked: Bool
        let expires: Date
    }

    func addCode(_ grant: CodeGrant, expires: Date, in executor: some SQLExecutor) async throws -> String {
        let code = SecureRandom.base64URL(32)
        try await executor.execute(
            """
            INSERT INTO authorization_codes (code_hash, client_id, user_id, redirect_uri, scope, nonce, challenge,
                authenticated_at, expires_at)
            VALUES (\(SHA256Digest.hash(code)), \(grant.clientID), \(grant.userID), \(grant.redirectURI),
                \(grant.scope.description), \(grant.nonce), \(grant.challenge), \(grant.authenticatedAt), \(expires))
            """)
        return code
    }

    func lockCode(_ code: String, at time: Date, in transaction: Transaction) async throws -> FoundCode? {
        let rows = try await transaction.query(
            """
            SELECT client_id, user_id, redirect_uri, scope, nonce, challenge, authenticated_at, family_id,
                expires_at <= \(time) AS expired, used_at IS NOT NULL AS used
            FROM authorization_codes WHERE code_hash = \(SHA256Digest.hash(code)) FOR UPDATE
            """)
        return try rows.first.map { row in
            FoundCode(
                grant: CodeGrant(
                    clientID: try row.decode("client_id"), userID: try row.decode("user_id"),
                    redirectURI: try row.decode("redirect_uri"),
                    scope: ScopeSet(parameter: try row.decode("scope")) ?? [], nonce: try row.decode("nonce"),
                    challenge: try row.decode("challenge"), authenticatedAt: try row.decode("authenticated_at")),
                isExpired: try row.decode("expired"), isUsed: try row.decode("used"),
                familyID: try row.decode("family_id"))
        }
    }

    func markUsed(code: String, family: UUID, at time: Date, in transaction: Transaction) async throws {
        try await transaction.execute(
            """
            UPDATE authorization_codes SET used_at = \(time), family_id = \(family)
            WHERE code_hash = \(SHA256Digest.hash(code))
            """)
    }

    func add(_ family: TokenFamily, at time: Date, expires: Date, in executor: some SQLExecutor) async throws {
        try await executor.execute(
            """
            INSERT INTO token_families (id, client_id, user_id, scope, authenticated_at, created_at, expires_at)
            VALUES (\(family.id), \(family.clientID), \(family.userID), \(family.scope.description),
                \(family.authenticatedAt), \(time), \(expires))
            """)
    }

    func addRefreshToken(to family: UUID, expires: Date, in executor: some SQLExecutor) async throws -> String {
        let token = SecureRandom.base64URL(32)
        try await executor.execute(
            """
            INSERT INTO refresh_tokens (token_hash, family_id, expires_at)
            VALUES (\(SHA256Digest.hash(token)), \(family), \(expires))
            """)
        return token
    }

    func lockRefreshToken(
        _ token: String, at time: Date, in transaction: Transaction
    ) async throws -> FoundRefreshToken? {
        let rows = try await transaction.query(
            """
            SELECT f.id, f.client_id, f.user_id, f.scope, f.authenticated_at, f.revoked_at IS NOT NULL AS revoked,
                t.expires_at, t.expires_at <= \(time) AS expired, t.used_at IS NOT NULL AS used
            FROM refresh_tokens t JOIN token_families f ON f.id = t.family_id
            WHERE t.token_hash = \(SHA256Digest.hash(token)) FOR UPDATE
            """)
        return try rows.first.map { row in
            FoundRefreshToken(
                family: try Self.family(row), isExpired: try row.decode("expired"), isUsed: try row.decode("used"),
                isFamilyRevoked: try row.decode("revoked"), expires: try row.decode("expires_at"))
        }
    }

    /// Marks a refresh token as used and lets its family live until `expires`.
    func markUsed(
        refreshToken: String, family: UUID, at time: Date, expires: Date, in transaction: Transaction
    ) async throws {
        try await transaction.execute(
            "UPDATE refresh_tokens SET used_at = \(time) WHERE token_hash = \(SHA256Digest.hash(refreshToken))")
        try await transaction.execute("UPDATE token_families SET expires_at = \(expires) WHERE id = \(family)")
    }

    /// Ends a family: none of its tokens is good any more.
    func revoke(family: UUID, reason: String, at time: Date, in executor: some SQLExecutor) async throws {
        try await executor.execute(
            """
            UPDATE token_families SET revoked_at = \(time), revoked_reason = \(reason)
            WHERE id = \(family) AND revoked_at IS NULL
            """)
    }

    func revokeAll(of userID: Int, reason: String, at time: Date, in executor: some SQLExecutor) async throws {
        try await executor.execute(
            """
            UPDATE token_families SET revoked_at = \(time), revoked_reason = \(reason)
            WHERE user_id = \(userID) AND revoked_at IS NULL
            """)
    }

    func revoke(tokenID: String, expires: Date, in executor: some SQLExecutor) async throws {
        try await executor.execute(
            """
            INSERT INTO revoked_tokens (token_id, expires_at) VALUES (\(tokenID), \(expires))
            ON CONFLICT (token_id) DO NOTHING
            """)
    }

    /// Whether an access token with a right signature has been revoked, by itself or with its family.
    func isRevoked(_ token: VerifiedToken, in executor: some SQLExecutor) async throws -> Bool {
        let row = try await executor.query(
            """
            SELECT EXISTS (SELECT FROM revoked_tokens WHERE token_id = \(token.tokenID))
                OR \(token.sessionID)::uuid IS NOT NULL AND NOT EXISTS (
                    SELECT FROM token_families WHERE id = \(token.sessionID)::uuid AND revoked_at IS NULL) AS revoked
            """
        ).one()
        return try row.decode("revoked")
    }

    private static func family(_ row: Row) throws -> TokenFamily {
        TokenFamily(
            id: try row.decode("id"), clientID: try row.decode("client_id"), userID: try row.decode("user_id"),
            scope: ScopeSet(parameter: try row.decode("scope")) ?? [],
            authenticatedAt: try row.decode("authenticated_at"))
    }
}

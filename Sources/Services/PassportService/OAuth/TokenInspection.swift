import AccessTokens
import FoundationEssentials
import Postgres

/// What a token that somebody presents is.
enum InspectedToken: Sendable {
    case access(AccessTokenClaims)
    case refresh(TokenFamily, expires: Date)

    var clientID: String {
        switch self {
        case .access(let claims): claims.clientID
        case .refresh(let family, _): family.clientID
        }
    }
}

/// Finds out whether presented tokens are good at this moment, revocations included.
struct TokenInspection: Sendable {
    let pool: PostgresPool
    let issuer: Issuer
    let keys: KeyRing
    let now: CurrentTime
    private let store = TokenStore()
    private let users = UserStore()

    init(pool: PostgresPool, issuer: Issuer, keys: KeyRing, now: @escaping CurrentTime) {
        self.pool = pool
        self.issuer = issuer
        self.keys = keys
        self.now = now
    }

    /// The token, if it is good: rightly made, not expired, not revoked, of an active user.
    func active(_ text: String) async throws -> InspectedToken? {
        if let claims = await signed(text) {
            let token = VerifiedToken(claims: claims)
            if try await store.isRevoked(token, in: pool) { return nil }
            if !token.isClientToken, try await user(of: token) == nil { return nil }
            return .access(claims)
        }
        return try await activeRefreshToken(text)
    }

    /// The claims of one of our access tokens that has not expired; it may have been revoked.
    func signed(_ text: String) async -> AccessTokenClaims? {
        let verifier = AccessTokenVerifier(
            keys: keys.keys, issuer: issuer.description, audience: TokenMint.audience, leeway: .zero, now: now)
        // Why a token is not good is nobody's business here: it may be a refresh token or anything.
        return try? await verifier.claims(of: text)
    }

    /// The claims of one of our ID tokens, expired or not: as a hint it only says whom the client means.
    func identity(_ text: String) async -> IdentityTokenClaims? {
        // What is no ID token of ours is no hint.
        let claims = try? await keys.keys.keys(including: nil).claims(
            of: text, type: "JWT", as: IdentityTokenClaims.self)
        return claims?.issuer == issuer.description ? claims : nil
    }

    /// The active user a token speaks for.
    func user(of token: VerifiedToken) async throws -> User? {
        guard let id = token.userID, let user = try await users.user(id: id, in: pool), user.isActive else {
            return nil
        }
        return user
    }

    /// Ends a token: a refresh token with its whole family, an access token alone.
    /// Foreign and unknown ones are left alone.
    func revoke(_ text: String, for client: Client) async throws {
        if let claims = await signed(text) {
            guard claims.clientID == client.id else { return }
            try await store.revoke(
                tokenID: claims.tokenID, expires: Date(timeIntervalSince1970: claims.expires), in: pool)
            return
        }
        let time = now()
        try await pool.withTransaction { transaction in
            guard let found = try await store.lockRefreshToken(text, at: time, in: transaction),
                found.family.clientID == client.id
            else { return }
            try await store.revoke(family: found.family.id, reason: "revoked by client", at: time, in: transaction)
        }
    }

    private func activeRefreshToken(_ text: String) async throws -> InspectedToken? {
        let time = now()
        return try await pool.withTransaction { transaction in
            guard let found = try await store.lockRefreshToken(text, at: time, in: transaction), !found.isExpired,
                !found.isUsed, !found.isFamilyRevoked,
                let user = try await users.user(id: found.family.userID, in: transaction), user.isActive
            else { return nil }
            return .refresh(found.family, expires: found.expires)
        }
    }
}

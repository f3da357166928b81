import AccessTokens
import FoundationEssentials
import Metrics
import OpenSSLCrypto
import Postgres

/// Trades what clients hold for tokens: one method per grant.
struct TokenGrants: Sendable {
    /// What a transaction found out; refusals commit too, because a replay must revoke.
    fileprivate enum Outcome {
        case granted(TokenReply)
        case refused(String)
    }

    let pool: PostgresPool
    let mint: TokenMint
    let authenticator: Authenticator
    let lifetimes: Lifetimes
    let now: CurrentTime
    private let store = TokenStore()
    private let users = UserStore()
    private let replays = Counter(label: "passport.token.replays")

    init(
        pool: PostgresPool, mint: TokenMint, authenticator: Authenticator, lifetimes: Lifetimes,
        now: @escaping CurrentTime
    ) {
        self.pool = pool
        self.mint = mint
        self.authenticator = authenticator
        self.lifetimes = lifetimes
        self.now = now
    }

    /// A token for the client itself.
    func clientCredentials(_ client: Client, scope requested: String?) throws -> TokenReply {
        guard let scope = Scopes.machine(requested: requested, for: client) else {
            throw OAuthError(.invalidScope, "The client may not have these scopes.")
        }
        return reply(try mint.clientToken(for: client, scope: scope), scope: scope)
    }

    /// Tokens for a person whose name and password the client passes on.
    func password(
        _ client: Client, username: String, password: String, scope requested: String?
    ) async throws -> TokenReply {
        guard let scope = Scopes.personal(requested: requested, for: client) else {
            throw OAuthError(.invalidScope, "The client may not have these scopes.")
        }
        let outcome = try await authenticator.authenticate(
            username: username, password: password, origin: .client(client.id))
        switch outcome {
        case .accepted(let user):
            let time = now()
            let family = TokenFamily(
                id: UUID(), clientID: client.id, userID: user.id, scope: scope, authenticatedAt: time)
            return try await pool.withTransaction { transaction in
                try await begin(family, for: client, nonce: nil, at: time, in: transaction)
            }
        case .refused: throw OAuthError(.invalidGrant, "The username or password is wrong.")
        case .limited(let seconds): throw OAuthError.limited(retryAfter: seconds)
        case .busy: throw OAuthError.busy
        }
    }

    /// Tokens for an authorization code, once. A second use revokes what the first one gave.
    func code(
        _ client: Client, code: String, redirectURI: String, verifier: String
    ) async throws -> TokenReply {
        let time = now()
        let outcome: Outcome = try await pool.withTransaction { transaction in
            guard let found = try await store.lockCode(code, at: time, in: transaction),
                found.grant.clientID == client.id
            else { return .refused("The authorization code is not known.") }
            if found.isUsed {
                replays.increment()
                if let family = found.familyID {
                    try await store.revoke(family: family, reason: "code replayed", at: time, in: transaction)
                }
                return .refused("The authorization code has been used.")
            }
            guard !found.isExpired else { return .refused("The authorization code has expired.") }
            guard found.grant.redirectURI == redirectURI else { return .refused("The redirect URI differs.") }
            guard PKCE.matches(verifier: verifier, challenge: found.grant.challenge) else {
                return .refused("The code verifier does not match.")
            }
            guard let user = try await users.user(id: found.grant.userID, in: transaction), user.isActive else {
                return .refused("The account is not active.")
            }
            let family = TokenFamily(
                id: UUID(), clientID: client.id, userID: user.id, scope: found.grant.scope,
                authenticatedAt: found.grant.authenticatedAt)
            let reply = try await begin(family, for: client, nonce: found.grant.nonce, at: time, in: transaction)
            try await store.markUsed(code: code, family: family.id, at: time, in: transaction)
            return .granted(reply)
        }
        return try outcome.reply()
    }

    /// New tokens for a refresh token, once. A second use revokes the whole family.
    func refresh(_ client: Client, token: String, scope requested: String?) async throws -> TokenReply {
        let time = now()
        let wanted = try requested.map { text in
            guard let scope = ScopeSet(parameter: text) else {
                throw OAuthError(.invalidScope, "The scope is not well-formed.")
            }
            return scope
        }
        let outcome: Outcome = try await pool.withTransaction { transaction in
            guard let found = try await store.lockRefreshToken(token, at: time, in: transaction),
                found.family.clientID == client.id
            else { return .refused("The refresh token is not known.") }
            let family = found.family
            if found.isUsed {
                replays.increment()
                try await store.revoke(family: family.id, reason: "refresh token reused", at: time, in: transaction)
                return .refused("The refresh token has been used.")
            }
            guard !found.isExpired, !found.isFamilyRevoked else {
                return .refused("The refresh token is not valid any more.")
            }
            guard let user = try await users.user(id: family.userID, in: transaction), user.isActive else {
                return .refused("The account is not active.")
            }
            let scope = wanted ?? family.scope
            guard scope.isSubset(of: family.scope) else {
                throw OAuthError(.invalidScope, "A refresh cannot widen the scope.")
            }
            let end = refreshEnd(from: time)
            try await store.markUsed(
                refreshToken: token, family: family.id, at: time, expires: end, in: transaction)
            let next = try await store.addRefreshToken(to: family.id, expires: end, in: transaction)
            return .granted(try issue(family, scope: scope, nonce: nil, refreshToken: next))
        }
        return try outcome.reply()
    }

    /// Stores a new family and issues its first tokens.
    private func begin(
        _ family: TokenFamily, for client: Client, nonce: String?, at time: Date, in transaction: Transaction
    ) async throws -> TokenReply {
        let end = refreshEnd(from: time)
        try await store.add(family, at: time, expires: end, in: transaction)
        var refreshToken: String?
        if client.grants.contains(.refreshToken) {
            refreshToken = try await store.addRefreshToken(to: family.id, expires: end, in: transaction)
        }
        return try issue(family, scope: family.scope, nonce: nonce, refreshToken: refreshToken)
    }

    private func issue(
        _ family: TokenFamily, scope: ScopeSet, nonce: String?, refreshToken: String?
    ) throws -> TokenReply {
        let token = try mint.userToken(for: family, scope: scope)
        var identity: String?
        if scope.contains(Scopes.openID) {
            identity = try mint.identityToken(for: family, nonce: nonce, accessToken: token)
        }
        return reply(token, scope: scope, refreshToken: refreshToken, idToken: identity)
    }

    private func reply(
        _ token: String, scope: ScopeSet, refreshToken: String? = nil, idToken: String? = nil
    ) -> TokenReply {
        TokenReply(
            accessToken: token, tokenType: "Bearer", expiresIn: Int(lifetimes.accessToken.components.seconds),
            refreshToken: refreshToken, idToken: idToken, scope: scope.description)
    }

    private func refreshEnd(from time: Date) -> Date {
        time.addingTimeInterval(TimeInterval(lifetimes.refreshToken.components.seconds))
    }
}

extension TokenGrants.Outcome {
    fileprivate func reply() throws(OAuthError) -> TokenReply {
        switch self {
        case .granted(let reply): return reply
        case .refused(let reason): throw OAuthError(.invalidGrant, reason)
        }
    }
}

/// Proof key for code exchange with S256 (RFC 7636).
enum PKCE {
    private static let challengeLength = 43
    private static let verifierLengths = 43...128

    /// Whether text can be an S256 challenge.
    static func isChallenge(_ text: String) -> Bool {
        text.utf8.count == challengeLength && (try? Base64URL.decode(text)) != nil
    }

    /// Whether `challenge` was made from `verifier`, and `verifier` has the form it must have.
    static func matches(verifier: String, challenge: String) -> Bool {
        guard verifierLengths.contains(verifier.utf8.count), verifier.utf8.allSatisfy(isUnreserved) else {
            return false
        }
        return constantTimeEquals(Base64URL.encode(SHA256Digest.hash(verifier)), challenge)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~".utf8.contains(byte)
        }
    }
}

import AccessTokens
import FoundationEssentials
import OpenSSLCrypto

/// Makes the tokens themselves; nothing here touches the database.
struct TokenMint: Sendable {
    /// Whom every access token is for.
    static let audience = "workflow"

    let issuer: Issuer
    let keys: KeyRing
    let lifetimes: Lifetimes
    let now: CurrentTime

    /// A token by which a client speaks for itself.
    func clientToken(for client: Client, scope: ScopeSet) throws -> String {
        try keys.keys.accessToken(
            AccessTokenClaims(
                issuer: issuer.description, subject: client.id, clientID: client.id, scope: scope,
                audience: AudienceList([Self.audience]), issuedAt: now(), lifetime: lifetimes.accessToken,
                tokenID: SecureRandom.base64URL(16)))
    }

    /// A token by which a client speaks for a person.
    func userToken(for family: TokenFamily, scope: ScopeSet) throws -> String {
        try keys.keys.accessToken(
            AccessTokenClaims(
                issuer: issuer.description, subject: String(family.userID), clientID: family.clientID, scope: scope,
                audience: AudienceList([Self.audience]), issuedAt: now(), lifetime: lifetimes.accessToken,
                tokenID: SecureRandom.base64URL(16), sessionID: family.id.uuidString.lowercased()))
    }

    /// The statement about a sign-in for the client (OpenID Connect Core section 2).
    func identityToken(for family: TokenFamily, nonce: String?, accessToken: String) throws -> String {
        let time = now().timeIntervalSince1970.rounded(.down)
        let claims = IdentityTokenClaims(
            issuer: issuer.description, subject: String(family.userID), audience: family.clientID,
            expires: time + Double(lifetimes.idToken.components.seconds), issuedAt: time,
            authenticatedAt: family.authenticatedAt.timeIntervalSince1970.rounded(.down), nonce: nonce,
            accessTokenHash: Base64URL.encode(SHA256Digest.hash(accessToken).prefix(16)))
        return try keys.keys.signer(.rs256).sign(claims, type: "JWT")
    }
}

/// The claims of an ID token.
struct IdentityTokenClaims: Sendable, Codable, Hashable {
    let issuer: String
    let subject: String
    let audience: String
    let expires: Double
    let issuedAt: Double
    let authenticatedAt: Double
    let nonce: String?
    let accessTokenHash: String?

    private enum CodingKeys: String, CodingKey {
        case issuer = "iss"
        case subject = "sub"
        case audience = "aud"
        case expires = "exp"
        case issuedAt = "iat"
        case authenticatedAt = "auth_time"
        case nonce
        case accessTokenHash = "at_hash"
    }
}

/// A successful answer of the token endpoint (RFC 6749 section 5.1).
struct TokenReply: Sendable, Codable {
    let accessToken: String
    let tokenType: String
    let expiresIn: Int
    let refreshToken: String?
    let idToken: String?
    let scope: String

    private enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case tokenType = "token_type"
        case expiresIn = "expires_in"
        case refreshToken = "refresh_token"
        case idToken = "id_token"
        case scope
    }
}

import AccessTokens
import OpenSSLCrypto

/// A way to obtain tokens.
enum GrantType: String, Sendable, Codable, CaseIterable {
    case authorizationCode = "authorization_code"
    case clientCredentials = "client_credentials"
    case password
    case refreshToken = "refresh_token"
}

/// An application that obtains tokens.
struct Client: Sendable, Hashable {
    let id: String
    let name: String
    /// SHA-256 of the secret. Secrets are long random texts, so a fast hash is enough.
    let secretHash: [UInt8]?
    let redirectURIs: [String]
    let postLogoutRedirectURIs: [String]
    let grants: Set<GrantType>
    let scopes: ScopeSet
    let isConfidential: Bool
    /// Part of the platform: people are not asked whether they trust it.
    let isFirstParty: Bool

    func hasSecret(_ secret: String) -> Bool {
        guard let secretHash else { return false }
        return constantTimeEquals(secretHash, SHA256Digest.hash(secret))
    }
}

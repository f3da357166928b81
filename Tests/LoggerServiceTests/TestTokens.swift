import AccessTokens
import FoundationEssentials

/// An issuer in the test process.
enum TestTokens {
    /// A verifier, and what makes tokens that it believes.
    static func make() async throws -> (AccessTokenVerifier, @Sendable (String) throws -> String) {
        let keys = try await SigningKeys.generate()
        let verifier = AccessTokenVerifier(keys: keys, issuer: "http://issuer.test")
        return (
            verifier,
            { scope in
                let claims = AccessTokenClaims(
                    issuer: "http://issuer.test", subject: "client", clientID: "client",
                    scope: ScopeSet(scope.split(separator: " ").map(String.init)),
                    audience: "workflow", issuedAt: Date.now, lifetime: .seconds(60), tokenID: "1")
                return try keys.accessToken(claims)
            }
        )
    }
}

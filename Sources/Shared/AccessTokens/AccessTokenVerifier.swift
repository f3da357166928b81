package import CurlTransfer
package import FoundationEssentials
package import Logging

/// Checks the access tokens of one issuer: signature, type, issuer, audience and times.
package struct AccessTokenVerifier: Sendable {
    /// How far clocks may be apart.
    package static let defaultLeeway: Duration = .seconds(30)

    private let source: any VerificationKeySource
    private let issuer: String
    private let audience: String
    private let leeway: TimeInterval
    private let now: @Sendable () -> Date

    /// A verifier over any source of keys.
    package init(
        keys source: any VerificationKeySource, issuer: String, audience: String = "workflow",
        leeway: Duration = defaultLeeway, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.source = source
        self.issuer = issuer
        self.audience = audience
        self.leeway = TimeInterval(leeway.components.seconds)
        self.now = now
    }

    /// A verifier that fetches the keys of the issuer's JWKS document at first need.
    package init(
        jwksURL: String, issuer: String, audience: String = "workflow", client: HTTPClient, logger: Logger? = nil
    ) {
        self.init(
            keys: RemoteKeySource(url: jwksURL, client: client, logger: logger), issuer: issuer, audience: audience)
    }

    /// What `token` says.
    /// - Throws: ``TokenError``; `.keysUnavailable` says nothing about the token and deserves a 503.
    package func verify(_ token: String) async throws(TokenError) -> VerifiedToken {
        VerifiedToken(claims: try await claims(of: token))
    }

    /// The claims of `token`, checked as in ``verify(_:)``.
    package func claims(of token: String) async throws(TokenError) -> AccessTokenClaims {
        let header = try TokenHeader(of: token)
        guard header.hasType(AccessTokenClaims.headerType) else {
            throw TokenError(.wrongType, "The token is not an access token.")
        }
        let keys = try await source.keys(including: header.keyID)
        let claims = try await keys.claims(of: token, type: AccessTokenClaims.headerType, as: AccessTokenClaims.self)
        guard claims.issuer == issuer else { throw TokenError(.wrongIssuer, "The token has another issuer.") }
        guard claims.audience.contains(audience) else {
            throw TokenError(.wrongAudience, "The token is for another audience.")
        }
        let time = now().timeIntervalSince1970
        guard time < claims.expires + leeway else { throw TokenError(.expired, "The token has expired.") }
        guard claims.issuedAt <= time + leeway else {
            throw TokenError(.notYetValid, "The token comes from the future; compare the clocks.")
        }
        return claims
    }
}

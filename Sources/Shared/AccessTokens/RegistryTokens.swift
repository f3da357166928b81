package import FoundationEssentials
import OpenSSLCrypto
package import PlatformModel

/// Actions on one resource of the registry, as its tokens list them.
package struct RegistryAccess: Sendable, Codable, Hashable {
    /// `repository` or `registry`.
    package var type: String
    /// The repository's name, or `catalog`.
    package var name: String
    /// `pull`, `push`, `delete` or `*`.
    package var actions: [String]

    /// Actions on a resource.
    package init(type: String = "repository", name: String, actions: [String]) {
        self.type = type
        self.name = name
        self.actions = actions
    }

    /// Reads a `scope` parameter such as `repository:shop/shop:pull,push`; nil when it has another form.
    ///
    /// The name may itself hold a colon (a registry's port), so the type ends at the first and the name at the last.
    package init?(scope: String) {
        guard let first = scope.firstIndex(of: ":"), let last = scope.lastIndex(of: ":"), first < last else {
            return nil
        }
        type = String(scope[..<first])
        name = String(scope[scope.index(after: first)..<last])
        actions = scope[scope.index(after: last)...].split(separator: ",").map(String.init)
        guard !type.isEmpty, !name.isEmpty else { return nil }
    }

    /// What of `wanted` these rights allow; resources without any allowed action are left out.
    package static func intersection(_ wanted: [RegistryAccess], with granted: [RegistryAccess]) -> [RegistryAccess] {
        wanted.compactMap { item in
            let allowed = granted.filter { $0.type == item.type && $0.name == item.name }.flatMap(\.actions)
            let actions = item.actions.filter { allowed.contains($0) || allowed.contains("*") }
            return actions.isEmpty ? nil : RegistryAccess(type: item.type, name: item.name, actions: actions)
        }
    }
}

/// The claims of a registry token or grant.
package struct RegistryTokenClaims: Sendable, Codable, Hashable {
    package var issuer: String
    package var subject: String
    package var audience: AudienceList
    /// Seconds since 1970.
    package var expires: Double
    /// Seconds since 1970.
    package var notBefore: Double
    /// Seconds since 1970.
    package var issuedAt: Double
    package var tokenID: String
    package var access: [RegistryAccess]

    private enum CodingKeys: String, CodingKey {
        case issuer = "iss"
        case subject = "sub"
        case audience = "aud"
        case expires = "exp"
        case notBefore = "nbf"
        case issuedAt = "iat"
        case tokenID = "jti"
        case access
    }
}

/// A token the registry accepts, with what its client is told beside it.
package struct RegistryToken: Sendable {
    /// The token itself.
    package let token: Secret
    package let issuedAt: Date
    package let lifetime: Duration
}

/// The upper bound of rights handed to a build or an engine, which they exchange for tokens as a password.
package struct RegistryGrant: Sendable, Hashable {
    /// The audience that keeps a grant from being used as a token.
    package static let audience = "workflow-registry-grant"
    /// The user name that goes with a grant in HTTP Basic.
    package static let userName = "grant"

    package let subject: String
    package let access: [RegistryAccess]
    package let expires: Date
}

/// Signs registry tokens and grants; the controller's side.
package struct RegistryTokenIssuer: Sendable {
    private static let headerType = "JWT"

    private let key: SigningKey
    private let issuer: String
    private let grants: RegistryTokenVerifier
    private let now: @Sendable () -> Date

    /// - Parameters:
    ///   - privateKeyPEM: an ES256 key; the registry holds its public half.
    package init(
        privateKeyPEM: Secret, issuer: String = "workflow-controller", now: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        let pair = try KeyPair(pem: privateKeyPEM.reveal())
        key = try SigningKey(pair)
        self.issuer = issuer
        self.now = now
        grants = try await RegistryTokenVerifier(
            publicKeysPEM: pair.publicKey.pem, issuer: issuer, service: RegistryGrant.audience, now: now)
    }

    /// A token for the registry named `service`.
    package func token(
        subject: String, service: String, access: [RegistryAccess], lifetime: Duration = .seconds(300)
    ) throws -> RegistryToken {
        let time = now()
        let text = try sign(subject: subject, audience: service, access: access, at: time, lifetime: lifetime)
        return RegistryToken(token: Secret(text), issuedAt: time, lifetime: lifetime)
    }

    /// A grant of at most `access`.
    package func grant(subject: String, access: [RegistryAccess], lifetime: Duration) throws -> Secret {
        Secret(
            try sign(
                subject: subject, audience: RegistryGrant.audience, access: access, at: now(), lifetime: lifetime))
    }

    /// What a grant allows.
    /// - Throws: ``TokenError`` when it is none of ours, was changed, or has expired.
    package func verifyGrant(_ text: String) async throws(TokenError) -> RegistryGrant {
        let claims = try await grants.verify(text)
        return RegistryGrant(
            subject: claims.subject, access: claims.access, expires: Date(timeIntervalSince1970: claims.expires))
    }

    private func sign(
        subject: String, audience: String, access: [RegistryAccess], at time: Date, lifetime: Duration
    ) throws -> String {
        let start = time.timeIntervalSince1970.rounded(.down)
        let claims = RegistryTokenClaims(
            issuer: issuer, subject: subject, audience: AudienceList([audience]),
            expires: start + Double(lifetime.components.seconds), notBefore: start, issuedAt: start,
            tokenID: SecureRandom.hex(16), access: access)
        return try key.sign(claims, type: Self.headerType)
    }
}

/// Checks registry tokens with public keys only; the registry's side.
package struct RegistryTokenVerifier: Sendable {
    private static let headerType = "JWT"

    private let keys: VerificationKeys
    private let issuer: String
    private let service: String
    private let leeway: TimeInterval = 30
    private let now: @Sendable () -> Date

    /// - Parameters:
    ///   - publicKeysPEM: one or more ES256 public keys, so that the issuer's key can be replaced with overlap.
    ///   - service: the audience tokens must have.
    package init(
        publicKeysPEM: String, issuer: String, service: String, now: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        keys = await VerificationKeys(try PublicKey.all(inPEM: publicKeysPEM).map { try $0.jwk() })
        self.issuer = issuer
        self.service = service
        self.now = now
    }

    /// The claims of a token whose signature, issuer, audience and times are right.
    package func verify(_ token: String) async throws(TokenError) -> RegistryTokenClaims {
        let claims = try await keys.claims(of: token, type: Self.headerType, as: RegistryTokenClaims.self)
        guard claims.issuer == issuer else { throw TokenError(.wrongIssuer, "The token has another issuer.") }
        guard claims.audience.contains(service) else {
            throw TokenError(.wrongAudience, "The token is for another service.")
        }
        let time = now().timeIntervalSince1970
        guard time < claims.expires + leeway else { throw TokenError(.expired, "The token has expired.") }
        guard claims.notBefore <= time + leeway else {
            throw TokenError(.notYetValid, "The token comes from the future; compare the clocks.")
        }
        return claims
    }
}

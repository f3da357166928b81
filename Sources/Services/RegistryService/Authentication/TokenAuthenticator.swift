import AccessTokens
import FoundationEssentials
import OpenSSLCrypto

/// Accepts the tokens of a token server, checked by signature.
///
/// Clients send a token with each request of a push or pull, so what a good one grants is remembered until it expires,
/// under a keyed hash of the field that carries it.
final class TokenAuthenticator: Authenticator {
    private struct Accepted {
        let grant: AccessGrant
        let expires: Date
    }

    private let server: RegistryConfiguration.TokenServer
    private let verifier: RegistryTokenVerifier
    private let key = SecureRandom.bytes(32)
    private let accepted = BoundedCache<[UInt8], Accepted>(limit: 4096)

    init(_ server: RegistryConfiguration.TokenServer, publicKeys: String) async throws {
        self.server = server
        verifier = try await RegistryTokenVerifier(
            publicKeysPEM: publicKeys, issuer: server.issuer, service: server.service)
    }

    func authenticate(_ authorization: String?) async throws -> AccessGrant {
        guard let authorization else { throw AuthenticationProblem.missing }
        if let known = recall(authorization) { return known }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw AuthenticationProblem.missing }
        do {
            let claims = try await verifier.verify(String(parts[1]))
            let grant = AccessGrant.only(claims.access.map(ResourceAccess.init))
            accepted[mark(authorization)] = Accepted(
                grant: grant, expires: Date(timeIntervalSince1970: claims.expires))
            return grant
        } catch {
            throw AuthenticationProblem.invalid
        }
    }

    func recall(_ authorization: String?) -> AccessGrant? {
        guard let authorization, let known = accepted[mark(authorization)], Date.now < known.expires else { return nil }
        return known.grant
    }

    private func mark(_ authorization: String) -> [UInt8] { HMACSHA256.authenticate(authorization, key: key) }

    func challenge(_ needed: [ResourceAccess], after problem: AuthenticationProblem) -> String {
        var fields = [("realm", server.realm), ("service", server.service)]
        if !needed.isEmpty { fields.append(("scope", needed.map(\.scope).joined(separator: " "))) }
        switch problem {
        case .missing: break
        case .invalid: fields.append(("error", "invalid_token"))
        case .insufficient: fields.append(("error", "insufficient_scope"))
        }
        return "Bearer " + fields.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
    }
}

extension ResourceAccess {
    /// Takes over an entry of a token; actions this registry does not know grant nothing.
    init(_ access: RegistryAccess) {
        self.init(type: access.type, name: access.name, actions: access.actions.compactMap(Action.init(rawValue:)))
    }
}

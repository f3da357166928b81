import AccessTokens
import FoundationEssentials
import OpenSSLCrypto
import Synchronization

/// Accepts the tokens of a token server, checked by signature.
///
/// Clients send a token with each request of a push or pull, so what a good one grants is remembered until it expires,
/// under a keyed hash of the token.
final class TokenAuthenticator: Authenticator {
    private struct Accepted {
        let grant: AccessGrant
        let expires: Date
    }

    private static let cacheLimit = 4096

    private let server: RegistryConfiguration.TokenServer
    private let verifier: RegistryTokenVerifier
    private let key = SecureRandom.bytes(32)
    private let accepted = Mutex<[[UInt8]: Accepted]>([:])

    init(_ server: RegistryConfiguration.TokenServer, publicKeys: String) async throws {
        self.server = server
        verifier = try await RegistryTokenVerifier(
            publicKeysPEM: publicKeys, issuer: server.issuer, service: server.service)
    }

    func authenticate(_ authorization: String?) async throws -> AccessGrant {
        guard let authorization else { throw AuthenticationProblem.missing }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw AuthenticationProblem.missing }
        let token = String(parts[1])
        let mark = HMACSHA256.authenticate(token, key: key)
        if let known = accepted.withLock({ $0[mark] }), Date.now < known.expires { return known.grant }
        do {
            let claims = try await verifier.verify(token)
            let grant = AccessGrant.only(claims.access.map(ResourceAccess.init))
            remember(mark, Accepted(grant: grant, expires: Date(timeIntervalSince1970: claims.expires)))
            return grant
        } catch {
            throw AuthenticationProblem.invalid
        }
    }

    private func remember(_ mark: [UInt8], _ grant: Accepted) {
        accepted.withLock { accepted in
            if accepted.count >= Self.cacheLimit { accepted = [:] }
            accepted[mark] = grant
        }
    }

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

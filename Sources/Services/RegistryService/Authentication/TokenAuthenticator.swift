import AccessTokens

/// Accepts the tokens of a token server, checked by signature.
struct TokenAuthenticator: Authenticator {
    private let server: RegistryConfiguration.TokenServer
    private let verifier: RegistryTokenVerifier

    init(_ server: RegistryConfiguration.TokenServer, publicKeys: String) async throws {
        self.server = server
        verifier = try await RegistryTokenVerifier(
            publicKeysPEM: publicKeys, issuer: server.issuer, service: server.service)
    }

    func authenticate(_ authorization: String?) async throws -> AccessGrant {
        guard let authorization else { throw AuthenticationProblem.missing }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw AuthenticationProblem.missing }
        do {
            let claims = try await verifier.verify(String(parts[1]))
            return .only(claims.access.map(ResourceAccess.init))
        } catch {
            throw AuthenticationProblem.invalid
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

import HTTPTypes
import Hummingbird
import Metrics

/// `POST /oauth/token/`
struct TokenRoutes: Sendable {
    let authentication: ClientAuthentication
    let grants: TokenGrants

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.post("/oauth/token") { request, context in
            let parameters = try await OAuthParameters(form: request, context: context)
            try parameters.requireUnique()
            let reply = try await token(request, parameters)
            return try JSONReply.response(reply)
        }
    }

    private func token(_ request: Request, _ parameters: OAuthParameters) async throws -> TokenReply {
        let client = try await authentication.client(of: request, parameters)
        guard let grant = GrantType(rawValue: try parameters.required("grant_type")) else {
            throw OAuthError(.unsupportedGrantType, "This grant type is not supported.")
        }
        guard client.grants.contains(grant) else {
            throw OAuthError(.unauthorizedClient, "The client may not use this grant type.")
        }
        Counter(label: "passport.token.requests", dimensions: [("grant", grant.rawValue)]).increment()
        switch grant {
        case .clientCredentials: return try grants.clientCredentials(client, scope: parameters["scope"])
        case .password:
            return try await grants.password(
                client, username: parameters.required("username"), password: parameters.required("password"),
                scope: parameters["scope"])
        case .authorizationCode:
            return try await grants.code(
                client, code: parameters.required("code"), redirectURI: parameters.required("redirect_uri"),
                verifier: parameters.required("code_verifier"))
        case .refreshToken:
            return try await grants.refresh(
                client, token: parameters.required("refresh_token"), scope: parameters["scope"])
        }
    }
}

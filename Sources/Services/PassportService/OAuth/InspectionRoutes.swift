import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird

/// `POST /oauth/introspect/` (RFC 7662) and `POST /oauth/revoke_token/` (RFC 7009).
struct InspectionRoutes: Sendable {
    let authentication: ClientAuthentication
    let inspection: TokenInspection
    let issuer: Issuer

    /// Who asks about a token.
    private enum Inquirer {
        /// May know everything.
        case trusted
        /// May know about its own tokens.
        case client(String)

        func mayKnow(_ token: InspectedToken) -> Bool {
            switch self {
            case .trusted: true
            case .client(let id): token.clientID == id
            }
        }
    }

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.post("/oauth/introspect") { request, context in
            let parameters = try await OAuthParameters(form: request, context: context)
            try parameters.requireUnique()
            let inquirer = try await inquirer(request, parameters)
            let token = try await inspection.active(try parameters.required("token"))
            guard let token, inquirer.mayKnow(token) else {
                return try JSONReply.response(IntrospectionReply.inactive)
            }
            return try JSONReply.response(IntrospectionReply(token, issuer: issuer))
        }
        router.post("/oauth/revoke_token") { request, context in
            let parameters = try await OAuthParameters(form: request, context: context)
            try parameters.requireUnique()
            let client = try await authentication.client(of: request, parameters)
            try await inspection.revoke(try parameters.required("token"), for: client)
            return Response(status: .ok, headers: [.cacheControl: "no-store"])
        }
    }

    /// A client that authenticates, or anyone with a token that has the scope for it.
    private func inquirer(_ request: Request, _ parameters: OAuthParameters) async throws -> Inquirer {
        if let bearer = BearerCredentials.token(in: request.headers) {
            guard case .access(let claims) = try await inspection.active(bearer) else {
                throw OAuthError.bearer(.invalidToken, "The access token is not valid.", status: .unauthorized)
            }
            guard claims.scope.contains(Scopes.introspection) else {
                throw OAuthError.bearer(.insufficientScope, "The scope introspection is needed.", status: .forbidden)
            }
            return .trusted
        }
        let client = try await authentication.client(of: request, parameters)
        guard client.isConfidential else { throw OAuthError.invalidClient(usedHeader: false) }
        return client.scopes.contains(Scopes.introspection) ? .trusted : .client(client.id)
    }
}

/// An introspection answer; an inactive token says nothing more.
private struct IntrospectionReply: Encodable {
    static let inactive = IntrospectionReply()

    var active = false
    var scope: String?
    var clientID: String?
    var tokenType: String?
    var expires: Int?
    var issuedAt: Int?
    var subject: String?
    var audience: String?
    var issuer: String?
    var tokenID: String?

    private enum CodingKeys: String, CodingKey {
        case active, scope
        case clientID = "client_id"
        case tokenType = "token_type"
        case expires = "exp"
        case issuedAt = "iat"
        case subject = "sub"
        case audience = "aud"
        case issuer = "iss"
        case tokenID = "jti"
    }

    private init() {}

    init(_ token: InspectedToken, issuer: Issuer) {
        active = true
        self.issuer = issuer.description
        clientID = token.clientID
        switch token {
        case .access(let claims):
            scope = claims.scope.description
            tokenType = "Bearer"
            expires = Int(claims.expires)
            issuedAt = Int(claims.issuedAt)
            subject = claims.subject
            audience = TokenMint.audience
            tokenID = claims.tokenID
        case .refresh(let family, let end):
            scope = family.scope.description
            tokenType = "refresh_token"
            expires = Int(end.timeIntervalSince1970)
            subject = String(family.userID)
        }
    }
}

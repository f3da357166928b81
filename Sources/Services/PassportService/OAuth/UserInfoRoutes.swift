import AccessTokens
import HTTPTypes
import Hummingbird

/// `GET` and `POST /oauth/userinfo/` (OpenID Connect Core section 5.3).
struct UserInfoRoutes: Sendable {
    let inspection: TokenInspection

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.get("/oauth/userinfo") { request, _ in
            try await reply(to: BearerCredentials.token(in: request.headers))
        }
        router.post("/oauth/userinfo") { request, context in
            if let token = BearerCredentials.token(in: request.headers) { return try await reply(to: token) }
            guard request.headers[.contentType] != nil else { return try await reply(to: nil) }
            let parameters = try await OAuthParameters(form: request, context: context)
            try parameters.requireUnique()
            return try await reply(to: parameters["access_token"])
        }
    }

    private func reply(to text: String?) async throws -> Response {
        guard let text else {
            return Response(status: .unauthorized, headers: [.wwwAuthenticate: "Bearer", .cacheControl: "no-store"])
        }
        guard case .access(let claims) = try await inspection.active(text),
            let user = try await inspection.user(of: VerifiedToken(claims: claims))
        else { throw OAuthError.bearer(.invalidToken, "The access token is not valid.", status: .unauthorized) }
        guard claims.scope.contains(Scopes.openID) else {
            throw OAuthError.bearer(.insufficientScope, "The scope openid is needed.", status: .forbidden)
        }
        return try JSONReply.response(UserInfo(user, scope: claims.scope))
    }
}

/// What a client may know about a person.
struct UserInfo: Sendable, Codable, Hashable {
    let subject: String
    var id: Int?
    var username: String?
    var preferredUsername: String?
    var name: String?
    var firstName: String?
    var lastName: String?
    var givenName: String?
    var familyName: String?
    var isSuperuser: Bool?
    var isStaff: Bool?
    var isActive: Bool?
    var email: String?
    var isEmailVerified: Bool?

    private enum CodingKeys: String, CodingKey {
        case subject = "sub"
        case id, username, name, email
        case preferredUsername = "preferred_username"
        case firstName = "first_name"
        case lastName = "last_name"
        case givenName = "given_name"
        case familyName = "family_name"
        case isSuperuser = "is_superuser"
        case isStaff = "is_staff"
        case isActive = "is_active"
        case isEmailVerified = "email_verified"
    }

    init(_ user: User, scope: ScopeSet) {
        subject = user.subject
        if scope.contains(Scopes.profile) {
            id = user.id
            username = user.username
            preferredUsername = user.username
            name = user.displayName
            firstName = user.firstName
            lastName = user.lastName
            givenName = user.firstName
            familyName = user.lastName
            isSuperuser = user.isSuperuser
            isStaff = user.isStaff
            isActive = user.isActive
        }
        if scope.contains(Scopes.email) {
            email = user.email
            isEmailVerified = user.isEmailVerified
        }
    }
}

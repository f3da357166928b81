import AccessTokens
import HTTPTypes
import Hummingbird

/// The metadata documents (OpenID Connect Discovery, RFC 8414) and the keys.
struct DiscoveryRoutes: Sendable {
    /// How long others may keep the documents. A rotation waits as long before it signs with a new key.
    static let keepSeconds = 600

    let issuer: Issuer
    let keys: KeyRing

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        for path in ["/oauth/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/oauth"] {
            router.get(RouterPath(path)) { _, _ in try Self.reply(ProviderMetadata(issuer: issuer)) }
        }
        router.get("/oauth/.well-known/jwks.json") { _, _ in try Self.reply(keys.keys.document) }
    }

    /// The documents hold nothing personal, so any page may read them.
    private static func reply(_ value: some Encodable) throws -> Response {
        try JSONReply.response(
            value, headers: [.accessControlAllowOrigin: "*"], cacheControl: "public, max-age=\(keepSeconds)")
    }
}

/// What the provider offers and where.
struct ProviderMetadata: Sendable, Codable, Hashable {
    let issuer: String
    let authorizationEndpoint: String
    let tokenEndpoint: String
    let userinfoEndpoint: String
    let jwksURI: String
    let revocationEndpoint: String
    let introspectionEndpoint: String
    let endSessionEndpoint: String
    var responseTypes = ["code"]
    var responseModes = ["query"]
    var grantTypes = GrantType.allCases.map(\.rawValue)
    var subjectTypes = ["public"]
    var idTokenAlgorithms = ["RS256"]
    var scopes = Scopes.personal.names
    var tokenAuthentication = ["client_secret_basic", "client_secret_post", "none"]
    var inspectionAuthentication = ["client_secret_basic", "client_secret_post"]
    var challengeMethods = ["S256"]
    var prompts = ["none", "login", "consent", "select_account"]
    var claims = [
        "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "id", "username", "preferred_username",
        "name", "first_name", "last_name", "given_name", "family_name", "is_superuser", "is_staff", "is_active",
        "email",
        "email_verified",
    ]
    var identifiesIssuer = true
    var supportsClaimsParameter = false
    var supportsRequest = false
    var supportsRequestURI = false

    init(issuer: Issuer) {
        self.issuer = issuer.description
        authorizationEndpoint = issuer.url("/oauth/authorize/")
        tokenEndpoint = issuer.url("/oauth/token/")
        userinfoEndpoint = issuer.url("/oauth/userinfo/")
        jwksURI = issuer.url("/oauth/.well-known/jwks.json")
        revocationEndpoint = issuer.url("/oauth/revoke_token/")
        introspectionEndpoint = issuer.url("/oauth/introspect/")
        endSessionEndpoint = issuer.url("/oauth/logout/")
    }

    private enum CodingKeys: String, CodingKey {
        case issuer
        case authorizationEndpoint = "authorization_endpoint"
        case tokenEndpoint = "token_endpoint"
        case userinfoEndpoint = "userinfo_endpoint"
        case jwksURI = "jwks_uri"
        case revocationEndpoint = "revocation_endpoint"
        case introspectionEndpoint = "introspection_endpoint"
        case endSessionEndpoint = "end_session_endpoint"
        case responseTypes = "response_types_supported"
        case responseModes = "response_modes_supported"
        case grantTypes = "grant_types_supported"
        case subjectTypes = "subject_types_supported"
        case idTokenAlgorithms = "id_token_signing_alg_values_supported"
        case scopes = "scopes_supported"
        case tokenAuthentication = "token_endpoint_auth_methods_supported"
        case inspectionAuthentication = "introspection_endpoint_auth_methods_supported"
        case challengeMethods = "code_challenge_methods_supported"
        case prompts = "prompt_values_supported"
        case claims = "claims_supported"
        case identifiesIssuer = "authorization_response_iss_parameter_supported"
        case supportsClaimsParameter = "claims_parameter_supported"
        case supportsRequest = "request_parameter_supported"
        case supportsRequestURI = "request_uri_parameter_supported"
    }
}

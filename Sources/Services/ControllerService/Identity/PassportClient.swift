import AccessTokens
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import OpenSSLCrypto
import PlatformModel

/// Speaks OpenID Connect with passport.
struct PassportClient: IdentityProvider {
    /// How the controller is known to the provider, and where it is reached.
    struct Configuration: Sendable {
        /// The issuer, which is also the base of what browsers visit.
        let issuer: String
        /// The base services use, without a trailing slash.
        let internalURL: String
        let clientID: String
        let clientSecret: Secret
    }

    static let scopes = "openid profile email"
    private static let timeout = Duration.seconds(10)

    let configuration: Configuration
    let client: HTTPClient
    let keys: any VerificationKeySource

    func signIn(username: String, password: Secret) async throws -> OAuthTokens {
        try await token([
            ("grant_type", "password"), ("username", username), ("password", password.reveal()),
            ("scope", Self.scopes),
        ]).tokens
    }

    func refresh(_ tokens: OAuthTokens) async throws -> OAuthTokens {
        let fresh = try await token([("grant_type", "refresh_token"), ("refresh_token", tokens.refreshToken)]).tokens
        return fresh.refreshToken.isEmpty ? fresh.keepingRefreshToken(of: tokens) : fresh
    }

    func authorizationURL(for login: BrowserLogin) async throws -> String {
        let request = TransferRequest(
            url: "\(configuration.internalURL)/.well-known/openid-configuration", timeout: Self.timeout)
        let discovered = try await client.sendJSON(request, as: Discovery.self)
        let challenge = Base64URL.encode(SHA256Digest.hash(login.codeVerifier))
        let query = FormCoding.encode([
            ("client_id", configuration.clientID), ("redirect_uri", login.redirectURI), ("response_type", "code"),
            ("scope", Self.scopes), ("state", login.state), ("nonce", login.nonce), ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ])
        return discovered.authorizationEndpoint + (discovered.authorizationEndpoint.contains("?") ? "&" : "?") + query
    }

    func exchange(code: String, for login: BrowserLogin) async throws -> OAuthTokens {
        let reply = try await token([
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", login.redirectURI),
            ("code_verifier", login.codeVerifier),
        ])
        guard let idToken = reply.idToken else { throw IDTokenProblem(reason: "there is none") }
        try await check(idToken, nonce: login.nonce)
        return reply.tokens
    }

    func userInfo(accessToken: String) async throws -> UserInfo {
        var headers = HTTPFields()
        headers[.authorization] = "Bearer \(accessToken)"
        let response = try await client.send(
            TransferRequest(url: "\(configuration.internalURL)/userinfo/", headers: headers, timeout: Self.timeout))
        guard response.status != 401, response.status != 403 else { throw IdentityRefusal(status: 401, body: nil) }
        return try response.requireSuccess().decode(UserInfo.self)
    }

    private func token(_ parameters: [(String, String)]) async throws -> TokenReply {
        let credentials =
            "\(FormCoding.encode(configuration.clientID)):\(FormCoding.encode(configuration.clientSecret.reveal()))"
        var headers = HTTPFields()
        headers[.authorization] = "Basic \(Base64.encode(credentials.utf8))"
        headers[.contentType] = "application/x-www-form-urlencoded"
        headers[.accept] = "application/json"
        let response = try await client.send(
            TransferRequest(
                method: .post, url: "\(configuration.internalURL)/token/", headers: headers,
                body: .text(FormCoding.encode(parameters)), timeout: Self.timeout))
        guard !(400..<500).contains(response.status) else {
            var body: JSONValue?
            do {
                body = try response.decode(JSONValue.self)
            } catch {
                // Not JSON: the caller shows a sentence of its own.
                body = nil
            }
            throw IdentityRefusal(status: response.status, body: body)
        }
        return try response.requireSuccess().decode(TokenReply.self)
    }

    /// OpenID Connect Core 3.1.3.7: signature, issuer, audience, lifetime and nonce.
    private func check(_ idToken: String, nonce: String) async throws {
        let claims = try await keys.keys(including: nil).idTokenClaims(of: idToken, refetching: keys)
        guard claims.issuer == configuration.issuer else { throw IDTokenProblem(reason: "another issuer") }
        guard claims.audience.contains(configuration.clientID),
            claims.authorizedParty.map({ $0 == configuration.clientID }) ?? (claims.audience.names.count == 1)
        else { throw IDTokenProblem(reason: "another audience") }
        guard claims.expires + 30 > Date().timeIntervalSince1970 else { throw IDTokenProblem(reason: "expired") }
        guard let given = claims.nonce, constantTimeEquals(given, nonce) else {
            throw IDTokenProblem(reason: "another nonce")
        }
    }
}

/// An ID token that does not prove the sign-in it came with.
struct IDTokenProblem: Error {
    let reason: String
}

private struct Discovery: Decodable {
    let authorizationEndpoint: String

    private enum CodingKeys: String, CodingKey {
        case authorizationEndpoint = "authorization_endpoint"
    }
}

private struct TokenReply: Decodable {
    let tokens: OAuthTokens
    let idToken: String?

    private enum CodingKeys: String, CodingKey {
        case idToken = "id_token"
    }

    init(from decoder: any Decoder) throws {
        tokens = try OAuthTokens(from: decoder)
        idToken = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .idToken)
    }
}

private struct IDTokenClaims: Codable, Sendable {
    let issuer: String
    let audience: AudienceList
    let authorizedParty: String?
    let expires: Double
    let nonce: String?

    private enum CodingKeys: String, CodingKey {
        case issuer = "iss"
        case audience = "aud"
        case authorizedParty = "azp"
        case expires = "exp"
        case nonce
    }
}

extension VerificationKeys {
    /// A key the provider introduced a moment ago is fetched before the token is given up.
    fileprivate func idTokenClaims(
        of token: String, refetching source: any VerificationKeySource
    ) async throws -> IDTokenClaims {
        do throws(TokenError) {
            return try await claims(of: token, type: "JWT", as: IDTokenClaims.self)
        } catch  where error.code == .unknownKey {
            let fresh = try await source.keys(including: "unknown")
            return try await fresh.claims(of: token, type: "JWT", as: IDTokenClaims.self)
        }
    }
}

import PlatformModel

/// What the controller asks of the OpenID provider on behalf of people.
///
/// Every call has a deadline. An answer that refuses is an ``IdentityRefusal``; anything else thrown means that the
/// provider could not be asked.
protocol IdentityProvider: Sendable {
    /// The tokens of a person who gave name and password (RFC 6749 section 4.3).
    func signIn(username: String, password: Secret) async throws -> OAuthTokens

    /// Where to send a browser to sign in.
    func authorizationURL(for login: BrowserLogin) async throws -> String

    /// The tokens for the code a browser came back with, after checking its ID token.
    func exchange(code: String, for login: BrowserLogin) async throws -> OAuthTokens

    /// Fresh tokens; the refresh token given is spent.
    func refresh(_ tokens: OAuthTokens) async throws -> OAuthTokens

    /// Who an access token speaks for.
    func userInfo(accessToken: String) async throws -> UserInfo
}

/// The provider's answer when it will not: status and body are passed on to the command line as they are.
struct IdentityRefusal: Error {
    let status: Int
    /// Nil when the answer was not JSON.
    let body: JSONValue?
}

/// What ties a browser's sign-in together: sent with the first redirect, checked at the end.
struct BrowserLogin: Sendable, Equatable {
    let redirectURI: String
    let state: String
    let nonce: String
    /// The PKCE verifier; only its hash leaves the controller before the code comes back.
    let codeVerifier: String
}

import FoundationEssentials
import HTTPTypes
import Logging
import OpenSSLCrypto
import PlatformModel
import Postgres
import ServiceHTTP

/// Signs people in: by name and password, or through a browser, and hands out controller tokens.
struct LoginService: Sendable {
    static let callbackPath = "/v2/complete/drycc/"

    let database: PostgresPool
    let provider: any IdentityProvider
    let logins: LoginStore
    let tokens: TokenStore
    /// Where a browser ends up once it is signed in; nil shows a page of the controller.
    let donePage: String?
    let logger: Logger

    /// A new token as the command line receives it.
    struct Issued: Sendable {
        let uuid: UUID
        let key: String
        let username: String
    }

    /// A key for a sign-in that a browser will complete.
    func beginInBrowser() async throws -> String {
        let key = SecureRandom.hex(16)
        try await logins.begin(key: key, in: database)
        return key
    }

    /// A key for a sign-in that is complete already.
    ///
    /// - Throws: ``Refusal`` with the provider's own status and body when it refuses.
    func signIn(username: String, password: Secret) async throws -> String {
        let key = SecureRandom.hex(16)
        let oauth = try await asking { try await provider.signIn(username: username, password: password) }
        let user = try await remember(oauth)
        try await database.withTransaction { transaction in
            try await logins.begin(key: key, in: transaction)
            try await logins.complete(
                keyHash: SHA256Digest.hash(key), owner: user, oauth: oauth, in: transaction)
        }
        return key
    }

    /// The provider's page for a key; `origin` is the address the browser used for the controller.
    func authorizationURL(key: String, origin: String) async throws -> String {
        let login = BrowserLogin(
            redirectURI: origin + Self.callbackPath, state: SecureRandom.base64URL(32),
            nonce: SecureRandom.base64URL(32), codeVerifier: SecureRandom.base64URL(48))
        guard try await logins.attach(login, to: key, in: database) else {
            throw Refusal(.notFound, .page("This sign-in link is not valid any more. Run drycc login again."))
        }
        return try await asking { try await provider.authorizationURL(for: login) }
    }

    /// Completes the sign-in a browser came back from.
    func complete(state: String, code: String, origin: String) async throws {
        let redirectURI = origin + Self.callbackPath
        guard let (keyHash, login) = try await logins.takeBrowser(state: state, redirectURI: redirectURI, in: database)
        else {
            throw Refusal(.invalid, .page("This sign-in has ended or was used already. Run drycc login again."))
        }
        let oauth: OAuthTokens
        do {
            oauth = try await provider.exchange(code: code, for: login)
        } catch let error as IDTokenProblem {
            logger.warning("An ID token was refused", metadata: ["reason": "\(error.reason)"])
            throw Refusal(.invalid, .page("The sign-in could not be verified. Run drycc login again."))
        } catch is IdentityRefusal {
            throw Refusal(.invalid, .page("The sign-in was refused. Run drycc login again."))
        }
        let user = try await remember(oauth)
        try await logins.complete(keyHash: keyHash, owner: user, oauth: oauth, in: database)
    }

    /// A controller token for a complete sign-in; nil until it is complete, and after the first time.
    func collect(key: String, alias: String) async throws -> Issued? {
        try await database.withTransaction { transaction in
            guard let (user, oauth) = try await logins.take(key: key, in: transaction) else { return nil }
            return try await issue(to: user, alias: alias, oauth: oauth, in: transaction)
        }
    }

    /// A controller token for OAuth tokens somebody obtained from the provider.
    func exchange(_ oauth: OAuthTokens, alias: String) async throws -> Issued {
        let user = try await remember(oauth)
        return try await issue(to: user, alias: alias, oauth: oauth, in: database)
    }

    private func issue(
        to user: User, alias: String, oauth: OAuthTokens, in executor: some SQLExecutor
    ) async throws -> Issued {
        let key = TokenKey.generate()
        let uuid = try await tokens.insert(key: key, owner: user, alias: alias, oauth: oauth, in: executor)
        return Issued(uuid: uuid, key: key, username: user.username)
    }

    private func remember(_ oauth: OAuthTokens) async throws -> User {
        let info = try await asking { try await provider.userInfo(accessToken: oauth.accessToken) }
        let user = try await database.withTransaction { try await UserStore().upsert(info, in: $0) }
        guard user.isActive else { throw Refusal.unauthenticated("User inactive or deleted.") }
        return user
    }

    /// Passes on a refusal of the provider; a provider that cannot be asked is a 503.
    private func asking<Value: Sendable>(_ ask: () async throws -> Value) async throws -> Value {
        do {
            return try await ask()
        } catch let refusal as IdentityRefusal {
            let status = (400..<500).contains(refusal.status) ? refusal.status : 400
            let body = refusal.body ?? ["detail": "Authentication failed"]
            throw Refusal(.init("identity_refused", status: .init(code: status)), .json(body))
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.warning("The identity provider cannot be asked", metadata: ["error": "\(String(reflecting: error))"])
            throw Refusal.unavailable("The identity provider does not answer, try again later.")
        }
    }
}

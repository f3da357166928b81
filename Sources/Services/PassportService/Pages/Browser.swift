import HTTPTypes
import Hummingbird
import Postgres
import ServiceHTTP

extension APIError.Code {
    /// A form that we did not make for this browser, or that is too old.
    static let formExpired = Self("form_expired", status: .forbidden)
}

/// What all page routes do with a browser: know it, check its forms, sign it in and out.
struct Browser: Sendable {
    let pool: PostgresPool
    let cookies: Cookies
    let protection: FormProtection
    let lifetimes: Lifetimes
    let now: CurrentTime
    private let sessions = SessionStore()

    init(
        pool: PostgresPool, cookies: Cookies, protection: FormProtection, lifetimes: Lifetimes,
        now: @escaping CurrentTime
    ) {
        self.pool = pool
        self.cookies = cookies
        self.protection = protection
        self.lifetimes = lifetimes
        self.now = now
    }

    func visitor(of request: Request) async throws -> Visitor {
        let session = try await session(of: request)
        if let secret = cookies.formSecret(of: request) {
            return Visitor(session: session, formSecret: secret, isNew: false)
        }
        return Visitor(session: session, formSecret: protection.newSecret(), isNew: true)
    }

    func session(of request: Request) async throws -> Session? {
        guard let token = cookies.sessionToken(of: request) else { return nil }
        return try await sessions.session(token: token, at: now(), in: pool)
    }

    /// The form a browser sends, once it is proved to be ours.
    /// - Throws: `APIError` with `.formExpired` when it is not, `.badRequest` when it is broken.
    func form(_ request: Request, _ context: PassportContext) async throws -> (OAuthParameters, Visitor) {
        let form: OAuthParameters
        do {
            form = try await OAuthParameters(form: request, context: context)
        } catch let error as OAuthError {
            throw APIError(.badRequest, message: error.message)
        }
        let session = try await session(of: request)
        guard form.repeated.isEmpty, let secret = cookies.formSecret(of: request), let token = form["form_token"],
            protection.isValid(token, secret: secret, session: session)
        else {
            throw APIError(.formExpired, message: "This form has expired. Go back, reload the page and try again.")
        }
        return (form, Visitor(session: session, formSecret: secret, isNew: false))
    }

    /// Starts a session under a new token, so that a token planted before the sign-in is worth nothing.
    func signIn(_ user: User, from request: Request, to location: String) async throws -> Response {
        if let old = cookies.sessionToken(of: request) { try await sessions.end(token: old, in: pool) }
        let token = try await sessions.start(for: user.id, at: now(), lifetime: lifetimes.session, in: pool)
        var response = Self.redirect(to: location)
        response.headers.append(cookies.session(token, lifetime: lifetimes.session))
        response.headers.append(cookies.form(protection.newSecret()))
        return response
    }

    func signOut(_ request: Request, to location: String) async throws -> Response {
        if let token = cookies.sessionToken(of: request) { try await sessions.end(token: token, in: pool) }
        var response = Self.redirect(to: location)
        response.headers.append(cookies.noSession)
        return response
    }

    /// 303: whatever the method was, the browser goes on with GET and sends no form again.
    static func redirect(to location: String) -> Response {
        Response(status: .seeOther, headers: [.location: location, .cacheControl: "no-store"])
    }
}

/// Where a person goes after signing in: only to pages of ours that make sense there.
struct ReturnPath: Sendable {
    static let account = "/user/account"

    private static let allowed: Set = ["/oauth/authorize", "/oauth/authorize/", "/user/account", "/user/login/done"]

    let text: String

    /// The path if it is one of ours, else the account page.
    /// Anything with a host, a scheme or a control character is not.
    init(_ text: String?) {
        guard let text, text.utf8.count <= 8000, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C }),
            Self.allowed.contains(String(text.prefix { $0 != "?" && $0 != "#" }))
        else {
            self.text = Self.account
            return
        }
        self.text = text
    }

    /// The query of an authorization request, if that is where it leads.
    var authorizationQuery: String? {
        guard text.hasPrefix("/oauth/authorize"), let mark = text.firstIndex(of: "?") else { return nil }
        return String(text[text.index(after: mark)...])
    }
}

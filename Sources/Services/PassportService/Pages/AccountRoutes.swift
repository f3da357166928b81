import HTTPTypes
import Hummingbird
import OpenSSLCrypto
import Postgres

/// `/user/account`: a person's own data, password and sessions.
struct AccountRoutes: Sendable {
    let browser: Browser
    let pages: Pages
    let pool: PostgresPool
    let authenticator: Authenticator
    let address: ClientAddress
    let now: CurrentTime

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.get("/user/account") { request, _ in
            let visitor = try await browser.visitor(of: request)
            guard let session = visitor.session else { return Browser.redirect(to: "/user/login?next=/user/account") }
            let done = SignInRoutes.query(request)["changed"] == "1" ? "The password has been changed." : nil
            return page(session.user, visitor, done: done)
        }
        router.post("/user/account/password") { request, context in try await changePassword(request, context) }
        router.post("/user/account/sessions") { request, context in
            let (_, visitor) = try await browser.form(request, context)
            guard let session = visitor.session else { return Browser.redirect(to: "/user/login") }
            try await endEverything(of: session.user, reason: "signed out everywhere")
            return try await browser.signOut(request, to: "/user/login")
        }
    }

    private func changePassword(_ request: Request, _ context: PassportContext) async throws -> Response {
        let (form, visitor) = try await browser.form(request, context)
        guard let user = visitor.session?.user else { return Browser.redirect(to: "/user/login") }
        let password = form["new_password"] ?? ""
        do {
            try AccountRules.check(password: password, username: user.username, email: user.email)
            guard password == form["new_password_again"] else { throw AccountError.differentPasswords }
            let outcome = try await authenticator.authenticate(
                username: user.username, password: form["password"] ?? "",
                origin: .address(address.of(request, context)))
            guard outcome == .accepted(user) else {
                return page(user, visitor, alert: Self.text(of: outcome), status: .unprocessableContent)
            }
            let record = try await authenticator.record(of: password)
            try await UserStore().replacePassword(
                record, of: user.id, reason: "password changed", at: now(), in: pool)
            return try await browser.signIn(user, from: request, to: "/user/account?changed=1")
        } catch let error as AccountError {
            return page(user, visitor, alert: error.description, status: .unprocessableContent)
        } catch let error as CryptoError where error.code == .busy {
            return page(user, visitor, alert: Self.text(of: .busy), status: .serviceUnavailable)
        }
    }

    private func endEverything(of user: User, reason: String) async throws {
        try await pool.withTransaction { transaction in
            try await SessionStore().endAll(of: user.id, in: transaction)
            try await TokenStore().revokeAll(of: user.id, reason: reason, at: now(), in: transaction)
        }
    }

    private func page(
        _ user: User, _ visitor: Visitor, alert: String? = nil, done: String? = nil, status: HTTPResponse.Status = .ok
    ) -> Response {
        let content = PageContent.Account(username: user.username, email: user.email, alert: alert, done: done)
        return pages.render(.account, title: user.displayName, content, for: visitor, status: status)
    }

    private static func text(of outcome: Authenticator.Outcome) -> String {
        switch outcome {
        case .limited(let seconds): "Too many attempts. Try again in \(seconds) seconds."
        case .busy: "The server is busy. Try again in a moment."
        case .accepted, .refused: "The current password is wrong."
        }
    }
}

import AccessTokens
import HTTPTypes
import Hummingbird
import OpenSSLCrypto
import Postgres

/// `/user/registration`
struct RegistrationRoutes: Sendable {
    let policy: RegistrationPolicy
    let browser: Browser
    let pages: Pages
    let pool: PostgresPool
    let authenticator: Authenticator
    let limiter: RateLimiter
    let address: ClientAddress
    let now: CurrentTime

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.get("/user/registration") { request, _ in
            guard policy == .open else { return closed() }
            let visitor = try await browser.visitor(of: request)
            return page(PageContent.Registration(next: ReturnPath(SignInRoutes.query(request)["next"]).text), visitor)
        }
        router.post("/user/registration") { request, context in
            guard policy == .open else { return closed() }
            return try await register(request, context)
        }
    }

    private func register(_ request: Request, _ context: PassportContext) async throws -> Response {
        let (form, visitor) = try await browser.form(request, context)
        let next = ReturnPath(form["next"])
        let user = NewUser(username: form["username"] ?? "", email: form["email"] ?? "")
        var content = PageContent.Registration(next: next.text, username: user.username, email: user.email)
        if let seconds = try await limiter.take(.registration(from: address.of(request, context))) {
            content.alert = "Too many registrations from your address. Try again in \(seconds) seconds."
            return page(content, visitor, status: .tooManyRequests, headers: [.retryAfter: String(seconds)])
        }
        do {
            let password = form["password"] ?? ""
            try AccountRules.check(user, password: password)
            guard password == form["password_again"] else { throw AccountError.differentPasswords }
            let record = try await authenticator.record(of: password)
            let made = try await UserStore().add(user, password: record, at: now(), in: pool)
            return try await browser.signIn(made, from: request, to: next.text)
        } catch let error as AccountError {
            content.alert = error.description
            return page(content, visitor, status: .unprocessableContent)
        } catch let error as CryptoError where error.code == .busy {
            content.alert = "The server is busy. Try again in a moment."
            return page(content, visitor, status: .serviceUnavailable, headers: [.retryAfter: "2"])
        }
    }

    private func page(
        _ content: PageContent.Registration, _ visitor: Visitor, status: HTTPResponse.Status = .ok,
        headers: HTTPFields = [:]
    ) -> Response {
        var content = content
        content.nextInQuery = FormCoding.encode(content.next)
        return pages.render(
            .registration, title: "Register", content, for: visitor, status: status, headers: headers)
    }

    private func closed() -> Response {
        pages.failure(
            .forbidden, title: "Registration is closed",
            text: "Accounts of this platform are made by its operator. Ask them for one.")
    }
}

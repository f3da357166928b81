import AccessTokens
import HTTPTypes
import Hummingbird

/// `/user/login`, `/user/login/done` and `/user/logout`.
struct SignInRoutes: Sendable {
    let browser: Browser
    let pages: Pages
    let authenticator: Authenticator
    let clients: ClientDirectory
    let address: ClientAddress
    let registration: RegistrationPolicy

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.get("/") { _, _ in Browser.redirect(to: ReturnPath.account) }
        router.get("/user/login") { request, _ in
            let visitor = try await browser.visitor(of: request)
            let next = ReturnPath(Self.query(request)["next"])
            return try await page(PageContent.SignIn(next: next.text, username: hint(next)), for: visitor)
        }
        router.post("/user/login") { request, context in try await signIn(request, context) }
        router.get("/user/login/done") { request, _ in
            let visitor = try await browser.visitor(of: request)
            let content = PageContent.Message(text: "You are signed in. You can return to the terminal.")
            return pages.render(.message, title: "Signed in", content, for: visitor)
        }
        router.get("/user/logout") { request, _ in
            let visitor = try await browser.visitor(of: request)
            guard let session = visitor.session else { return Browser.redirect(to: "/user/login") }
            let content = PageContent.SignOut(username: session.user.username, redirect: "")
            return pages.render(.signOut, title: "Sign out", content, for: visitor)
        }
    }

    private func signIn(_ request: Request, _ context: PassportContext) async throws -> Response {
        let (form, visitor) = try await browser.form(request, context)
        let next = ReturnPath(form["next"])
        let username = form["username"] ?? ""
        let outcome = try await authenticator.authenticate(
            username: username, password: form["password"] ?? "", origin: .address(address.of(request, context)))
        var content = PageContent.SignIn(next: next.text, username: username)
        switch outcome {
        case .accepted(let user): return try await browser.signIn(user, from: request, to: next.text)
        case .refused:
            content.alert = "The username or password is wrong."
            return try await page(content, for: visitor, status: .unprocessableContent)
        case .limited(let seconds):
            content.alert = "Too many attempts. Try again in \(seconds) seconds."
            return try await page(
                content, for: visitor, status: .tooManyRequests, headers: [.retryAfter: String(seconds)])
        case .busy:
            content.alert = "The server is busy. Try again in a moment."
            return try await page(content, for: visitor, status: .serviceUnavailable, headers: [.retryAfter: "2"])
        }
    }

    private func page(
        _ content: PageContent.SignIn, for visitor: Visitor, status: HTTPResponse.Status = .ok,
        headers: HTTPFields = [:]
    ) async throws -> Response {
        var content = content
        content.nextInQuery = FormCoding.encode(content.next)
        content.registrationIsOpen = registration == .open
        return pages.render(
            .signIn, title: "Sign in", content, for: visitor, status: status,
            formTarget: try await target(ReturnPath(content.next)), headers: headers)
    }

    /// The client's origin, to which the browser is sent on after the form.
    private func target(_ next: ReturnPath) async throws -> String? {
        guard let query = next.authorizationQuery, let parameters = OAuthParameters(query: query) else { return nil }
        return try await AuthorizationTarget.find(parameters, in: clients)?.redirect.origin
    }

    private func hint(_ next: ReturnPath) -> String {
        let text = next.authorizationQuery.flatMap(OAuthParameters.init(query:))?["login_hint"] ?? ""
        return String(text.prefix(150))
    }

    static func query(_ request: Request) -> OAuthParameters {
        OAuthParameters(query: request.uri.query ?? "") ?? OAuthParameters([])
    }
}

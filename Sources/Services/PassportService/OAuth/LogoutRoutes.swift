import AccessTokens
import HTTPTypes
import Hummingbird

/// `/oauth/logout/`: sign-out started by a client (OpenID Connect RP-Initiated Logout), and the sign-out form.
struct LogoutRoutes: Sendable {
    let browser: Browser
    let pages: Pages
    let clients: ClientDirectory
    let inspection: TokenInspection

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.get("/oauth/logout") { request, _ in
            try await logout(request, SignInRoutes.query(request))
        }
        router.post("/oauth/logout") { request, context in
            try await logout(request, OAuthParameters(form: request, context: context))
        }
        router.post("/user/logout") { request, context in
            let (form, _) = try await browser.form(request, context)
            let query = OAuthParameters(query: form["redirect"] ?? "") ?? OAuthParameters([])
            return try await browser.signOut(request, to: try await destination(query) ?? "/user/login")
        }
    }

    /// With a hint that names the person signed in, ends the session at once; else the person is asked.
    private func logout(_ request: Request, _ parameters: OAuthParameters) async throws -> Response {
        let visitor = try await browser.visitor(of: request)
        let destination = try await destination(parameters)
        guard let session = visitor.session else { return Browser.redirect(to: destination ?? "/user/login") }
        if let hint = await identity(parameters), hint.subject == session.user.subject {
            return try await browser.signOut(request, to: destination ?? "/user/login")
        }
        let content = PageContent.SignOut(
            username: session.user.username,
            redirect: destination == nil ? "" : FormCoding.encode(parameters.pairs))
        let origin = destination.flatMap(RedirectURI.init)?.origin
        return pages.render(.signOut, title: "Sign out", content, for: visitor, formTarget: origin)
    }

    /// Where the client wants the browser, if that is registered for it.
    private func destination(_ parameters: OAuthParameters) async throws -> String? {
        let hinted = await identity(parameters)?.audience
        guard parameters.repeated.isEmpty, let wanted = parameters["post_logout_redirect_uri"],
            let id = parameters["client_id"] ?? hinted, hinted == nil || hinted == id,
            let client = try await clients.client(id: id), client.postLogoutRedirectURIs.contains(wanted),
            let uri = RedirectURI(wanted)
        else { return nil }
        guard let state = parameters["state"] else { return uri.text }
        return uri.adding([("state", state)])
    }

    private func identity(_ parameters: OAuthParameters) async -> IdentityTokenClaims? {
        guard let hint = parameters["id_token_hint"] else { return nil }
        return await inspection.identity(hint)
    }
}

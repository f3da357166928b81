import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Postgres
import ServiceHTTP

/// `GET` and `POST /oauth/authorize/`, and the answer of the consent page.
struct AuthorizeRoutes: Sendable {
    let browser: Browser
    let pages: Pages
    let pool: PostgresPool
    let clients: ClientDirectory
    let inspection: TokenInspection
    let issuer: Issuer
    let lifetimes: Lifetimes
    let now: CurrentTime
    private let consents = ConsentStore()
    private let store = TokenStore()

    init(
        browser: Browser, pages: Pages, pool: PostgresPool, clients: ClientDirectory, inspection: TokenInspection,
        issuer: Issuer, lifetimes: Lifetimes, now: @escaping CurrentTime
    ) {
        self.browser = browser
        self.pages = pages
        self.pool = pool
        self.clients = clients
        self.inspection = inspection
        self.issuer = issuer
        self.lifetimes = lifetimes
        self.now = now
    }

    func addRoutes(to router: some RouterMethods<PassportContext>) {
        router.get("/oauth/authorize") { request, _ in
            guard let parameters = OAuthParameters(query: request.uri.query ?? "") else {
                throw APIError(.badRequest, message: "The address is damaged. Start again from the application.")
            }
            return try await answering(parameters) { target in
                try await authorize(request, parameters, target)
            }
        }
        // A form sent from another site comes without our cookie; as a GET the browser adds it.
        router.post("/oauth/authorize") { request, context in
            do {
                let parameters = try await OAuthParameters(form: request, context: context)
                guard parameters.repeated.isEmpty else { throw OAuthError(.invalidRequest, "A parameter is repeated.") }
                return Browser.redirect(to: "/oauth/authorize/?" + FormCoding.encode(parameters.pairs))
            } catch let error as OAuthError {
                throw APIError(.badRequest, message: error.message)
            }
        }
        router.post("/oauth/authorize/consent") { request, context in
            let (form, visitor) = try await browser.form(request, context)
            guard let parameters = OAuthParameters(query: form["request"] ?? "") else {
                throw APIError(.badRequest, message: "The form is damaged. Start again from the application.")
            }
            return try await answering(parameters) { target in
                try await decide(form["decision"], parameters, target, visitor)
            }
        }
    }

    /// Runs `body` and turns its refusals into redirects to the client.
    private func answering(
        _ parameters: OAuthParameters, _ body: (AuthorizationTarget) async throws -> Response
    ) async throws -> Response {
        let target = try await AuthorizationTarget(parameters, clients: clients)
        do {
            return try await body(target)
        } catch let failure as AuthorizationFailure {
            return redirect(
                to: target, parameters, [("error", failure.code), ("error_description", failure.description)])
        }
    }

    private func authorize(
        _ request: Request, _ parameters: OAuthParameters, _ target: AuthorizationTarget
    ) async throws -> Response {
        let wanted = try AuthorizationRequest(parameters, target: target)
        let visitor = try await browser.visitor(of: request)
        guard let session = visitor.session, !wanted.needsSignIn(session, at: now()) else {
            guard !wanted.prompts.contains(.none) else { throw AuthorizationFailure.loginRequired }
            return Browser.redirect(to: "/user/login?next=" + FormCoding.encode(Self.afterSignIn(parameters)))
        }
        if wanted.prompts.contains(.none), let hint = parameters["id_token_hint"] {
            guard await inspection.identity(hint)?.subject == session.user.subject else {
                throw AuthorizationFailure.loginRequired
            }
        }
        if try await needsConsent(wanted, session) {
            guard !wanted.prompts.contains(.none) else { throw AuthorizationFailure.consentRequired }
            return consentPage(wanted, parameters, session, visitor)
        }
        return try await grant(wanted, parameters, session)
    }

    private func decide(
        _ decision: String?, _ parameters: OAuthParameters, _ target: AuthorizationTarget, _ visitor: Visitor
    ) async throws -> Response {
        let wanted = try AuthorizationRequest(parameters, target: target)
        guard let session = visitor.session else {
            return Browser.redirect(to: "/user/login?next=" + FormCoding.encode(Self.afterSignIn(parameters)))
        }
        guard decision == "allow" else { throw AuthorizationFailure.accessDenied }
        try await consents.record(
            wanted.scope, client: target.client, userID: session.user.id, at: now(), in: pool)
        return try await grant(wanted, parameters, session)
    }

    private func needsConsent(_ wanted: AuthorizationRequest, _ session: Session) async throws -> Bool {
        if wanted.prompts.contains(.consent) { return true }
        if wanted.target.client.isFirstParty { return false }
        return try await !consents.covers(
            wanted.scope, client: wanted.target.client, userID: session.user.id, in: pool)
    }

    private func grant(
        _ wanted: AuthorizationRequest, _ parameters: OAuthParameters, _ session: Session
    ) async throws -> Response {
        let grant = CodeGrant(
            clientID: wanted.target.client.id, userID: session.user.id, redirectURI: wanted.target.redirect.text,
            scope: wanted.scope, nonce: wanted.nonce, challenge: wanted.challenge,
            authenticatedAt: session.authenticatedAt)
        let end = now().addingTimeInterval(TimeInterval(lifetimes.code.components.seconds))
        let code = try await store.addCode(grant, expires: end, in: pool)
        return redirect(to: wanted.target, parameters, [("code", code)])
    }

    /// The answer to the client, with its state unchanged and our name against mix-ups (RFC 9207).
    private func redirect(
        to target: AuthorizationTarget, _ parameters: OAuthParameters, _ answer: [(String, String)]
    ) -> Response {
        var answer = answer
        if let state = parameters["state"] { answer.append(("state", state)) }
        answer.append(("iss", issuer.description))
        return Browser.redirect(to: target.redirect.adding(answer))
    }

    private func consentPage(
        _ wanted: AuthorizationRequest, _ parameters: OAuthParameters, _ session: Session, _ visitor: Visitor
    ) -> Response {
        let target = wanted.target
        let content = PageContent.Consent(
            clientName: target.client.name, username: session.user.username,
            meanings: wanted.scope.names.map(Scopes.meaning), origin: target.redirect.origin,
            request: FormCoding.encode(parameters.pairs))
        return pages.render(
            .consent, title: "Allow access?", content, for: visitor, formTarget: target.redirect.origin)
    }

    /// The same request without what the sign-in has just fulfilled, so that it is not demanded for ever.
    private static func afterSignIn(_ parameters: OAuthParameters) -> String {
        let pairs = parameters.pairs.compactMap { name, value -> (String, String)? in
            switch name {
            case "prompt":
                let rest = value.split(separator: " ").filter { $0 != "login" && $0 != "select_account" }
                return rest.isEmpty ? nil : (name, rest.joined(separator: " "))
            case "max_age" where value == "0": return nil
            default: return (name, value)
            }
        }
        return "/oauth/authorize/?" + FormCoding.encode(pairs)
    }
}

import AccessTokens
import FoundationEssentials
import ServiceHTTP

/// Which client asks and where its answer goes: checked before anything may be sent anywhere.
struct AuthorizationTarget: Sendable {
    let client: Client
    let redirect: RedirectURI

    /// - Throws: `APIError` for the person's eyes: a client that is not known, or an address that is not its own, must
    ///   never get an answer by redirect.
    init(_ parameters: OAuthParameters, clients: ClientDirectory) async throws {
        guard parameters.repeated.isDisjoint(with: ["client_id", "redirect_uri"]) else {
            throw APIError(.badRequest, message: "The application names itself more than once.")
        }
        guard let id = parameters["client_id"], try await clients.client(id: id) != nil else {
            throw APIError(.badRequest, message: "The application that sent you here is not known to this platform.")
        }
        guard let target = try await Self.find(parameters, in: clients) else {
            throw APIError(
                .badRequest, message: "The application wants its answer at an address that is not registered for it.")
        }
        self = target
    }

    private init(client: Client, redirect: RedirectURI) {
        self.client = client
        self.redirect = redirect
    }

    /// The target, if client and address are right.
    static func find(_ parameters: OAuthParameters, in clients: ClientDirectory) async throws -> AuthorizationTarget? {
        guard let id = parameters["client_id"], let client = try await clients.client(id: id),
            let redirect = parameters["redirect_uri"].flatMap(RedirectURI.init),
            client.redirectURIs.compactMap(RedirectURI.init).contains(where: { $0.admits(redirect) })
        else { return nil }
        return AuthorizationTarget(client: client, redirect: redirect)
    }
}

/// An error the client learns by redirect (RFC 6749 section 4.1.2.1).
struct AuthorizationFailure: Error, Equatable {
    let code: String
    let description: String

    init(_ code: String, _ description: String) {
        self.code = code
        self.description = description
    }

    static let accessDenied = Self("access_denied", "The person refused.")
    static let loginRequired = Self("login_required", "The person is not signed in.")
    static let consentRequired = Self("consent_required", "The person has not agreed yet.")
}

/// A well-formed authorization request of a known client.
struct AuthorizationRequest: Sendable {
    enum Prompt: String, Sendable {
        case none, login, consent
        case selectAccount = "select_account"
    }

    let target: AuthorizationTarget
    let scope: ScopeSet
    let nonce: String?
    let challenge: String
    let prompts: Set<Prompt>
    /// How old the sign-in may be, in seconds.
    let maximumAge: Int?

    init(_ parameters: OAuthParameters, target: AuthorizationTarget) throws(AuthorizationFailure) {
        self.target = target
        guard parameters.repeated.isEmpty else {
            throw AuthorizationFailure("invalid_request", "A parameter is repeated.")
        }
        try Self.refuseUnsupported(parameters)
        guard target.client.grants.contains(.authorizationCode) else {
            throw AuthorizationFailure("unauthorized_client", "The client may not use the authorization code grant.")
        }
        guard let challenge = parameters["code_challenge"], PKCE.isChallenge(challenge) else {
            throw AuthorizationFailure("invalid_request", "A code_challenge (PKCE) is required.")
        }
        guard parameters["code_challenge_method"] == "S256" else {
            throw AuthorizationFailure("invalid_request", "The code_challenge_method must be S256.")
        }
        guard let scope = Scopes.personal(requested: parameters["scope"], for: target.client) else {
            throw AuthorizationFailure("invalid_scope", "None of the scopes can be given to this client.")
        }
        guard (parameters["nonce"] ?? "").utf8.count <= 512 else {
            throw AuthorizationFailure("invalid_request", "The nonce is too long.")
        }
        self.challenge = challenge
        self.scope = scope
        nonce = parameters["nonce"]
        prompts = try Self.prompts(parameters["prompt"])
        maximumAge = try Self.age(parameters["max_age"])
    }

    private static func refuseUnsupported(_ parameters: OAuthParameters) throws(AuthorizationFailure) {
        guard let type = parameters["response_type"] else {
            throw AuthorizationFailure("invalid_request", "The response_type is missing.")
        }
        guard type == "code" else {
            throw AuthorizationFailure("unsupported_response_type", "The response_type must be code.")
        }
        guard ["query", nil].contains(parameters["response_mode"]) else {
            throw AuthorizationFailure("invalid_request", "The response_mode must be query.")
        }
        for name in ["request", "request_uri", "registration"] where parameters[name] != nil {
            throw AuthorizationFailure("\(name)_not_supported", "The parameter \(name) is not supported.")
        }
    }

    private static func prompts(_ text: String?) throws(AuthorizationFailure) -> Set<Prompt> {
        var prompts: Set<Prompt> = []
        for word in (text ?? "").split(separator: " ") {
            guard let prompt = Prompt(rawValue: String(word)) else {
                throw AuthorizationFailure("invalid_request", "The prompt is not known.")
            }
            prompts.insert(prompt)
        }
        guard !prompts.contains(.none) || prompts.count == 1 else {
            throw AuthorizationFailure("invalid_request", "The prompt none stands alone.")
        }
        return prompts
    }

    private static func age(_ text: String?) throws(AuthorizationFailure) -> Int? {
        guard let text else { return nil }
        guard let age = Int(text), age >= 0 else {
            throw AuthorizationFailure("invalid_request", "The max_age must be a number of seconds.")
        }
        return age
    }

    /// Whether a session must be renewed by signing in again.
    func needsSignIn(_ session: Session, at time: Date) -> Bool {
        if !prompts.isDisjoint(with: [.login, .selectAccount]) || maximumAge == 0 { return true }
        guard let maximumAge else { return false }
        return time.timeIntervalSince(session.authenticatedAt) > Double(maximumAge)
    }
}

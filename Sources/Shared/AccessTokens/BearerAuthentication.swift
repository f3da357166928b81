package import HTTPTypes
package import Hummingbird
package import ServiceHTTP

/// A request context that remembers the access token a request came with.
package protocol TokenContext: RequestContext {
    /// The checked token; nil for a request without credentials.
    var accessToken: VerifiedToken? { get set }
}

/// Checks the bearer token of a request, if it has one, and puts it into the context.
///
/// A request without an `Authorization: Bearer` header passes as anonymous;
/// one with a token that is not good ends here.
package struct BearerAuthentication<Context: TokenContext>: RouterMiddleware {
    private let verifier: AccessTokenVerifier

    /// A middleware that believes this verifier.
    package init(verifier: AccessTokenVerifier) { self.verifier = verifier }

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.accessToken = try await verifier.token(of: request)
        return try await next(request, context)
    }
}

/// Which scope a group of routes asks for.
package struct ScopePolicy: Sendable, Hashable {
    /// One of these is enough.
    package let scopes: [String]

    /// A policy that asks for one scope.
    package init(_ scope: String) { scopes = [scope] }

    /// A policy that is satisfied by any of several scopes.
    package init(anyOf scopes: [String]) { self.scopes = scopes }

    /// The token, if it satisfies the policy.
    /// - Throws: `APIError` with status 401 without a token, 403 with one that lacks the scope.
    @discardableResult
    package func authorize(_ token: VerifiedToken?) throws(APIError) -> VerifiedToken {
        guard let token else {
            throw APIError(
                .unauthorized, message: "Authentication credentials were not provided.",
                headers: [.wwwAuthenticate: "Bearer"])
        }
        guard scopes.contains(where: token.scopes.contains) else {
            let wanted = scopes.joined(separator: " ")
            throw APIError(
                .forbidden, message: "The token does not have the scope \(wanted).",
                headers: [.wwwAuthenticate: "Bearer error=\"insufficient_scope\", scope=\"\(wanted)\""])
        }
        return token
    }
}

/// Lets only requests pass whose token has a scope; place it on a route group.
///
/// With a verifier it checks the token itself, for contexts of any kind;
/// without, it relies on ``BearerAuthentication``.
package struct RequireScope<Context: RequestContext>: RouterMiddleware {
    private let policy: ScopePolicy
    private let token: @Sendable (Request, Context) async throws -> VerifiedToken?

    /// A middleware that checks the bearer token of each request by itself.
    package init(_ scope: String, verifier: AccessTokenVerifier) {
        self.init(ScopePolicy(scope), verifier: verifier)
    }

    /// A middleware that checks the bearer token of each request by itself.
    package init(_ policy: ScopePolicy, verifier: AccessTokenVerifier) {
        self.policy = policy
        token = { request, _ in try await verifier.token(of: request) }
    }

    /// A middleware behind ``BearerAuthentication``.
    package init(_ scope: String) where Context: TokenContext {
        policy = ScopePolicy(scope)
        token = { _, context in context.accessToken }
    }

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        try policy.authorize(try await token(request, context))
        return try await next(request, context)
    }
}

extension AccessTokenVerifier {
    /// The checked token of a request; nil when it has no bearer credentials.
    /// - Throws: `APIError` with status 401 for a token that is not good, 503 when that cannot be told.
    package func token(of request: Request) async throws(APIError) -> VerifiedToken? {
        guard let text = BearerCredentials.token(in: request.headers) else { return nil }
        do {
            return try await verify(text)
        } catch  where error.code == .keysUnavailable {
            throw APIError(
                .unavailable, message: "The identity provider does not answer; try again shortly.", cause: error,
                headers: [.retryAfter: "2"])
        } catch {
            throw APIError(
                .unauthorized, message: "The access token is not valid.",
                headers: [.wwwAuthenticate: "Bearer error=\"invalid_token\""])
        }
    }
}

/// The bearer form of the `Authorization` header (RFC 6750 section 2.1).
package enum BearerCredentials {
    /// The token; nil when there is no header or it has another scheme.
    package static func token(in headers: HTTPFields) -> String? {
        guard let value = headers[.authorization] else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}

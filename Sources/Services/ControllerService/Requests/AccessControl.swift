import AccessTokens
import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Finds out who calls and whether they may: the one place where routes get their callers from.
struct AccessControl: Sendable {
    let database: PostgresPool
    let authenticator: Authenticator
    let verifier: AccessTokenVerifier
    let throttle: Throttle

    func admitAnonymous(_ request: Request, _ context: ControllerContext, policy: AccessPolicy) throws(Refusal) {
        let address = Self.address(of: request, context)
        switch policy {
        case .loginPolling: try throttle.admit(.polling(address))
        case .ownCredentials: return
        default: try throttle.admit(.address(address))
        }
    }

    /// The address a request came from; a router on this machine names it in a header.
    private static func address(of request: Request, _ context: ControllerContext) -> String {
        let peer = context.peerAddress ?? "unknown"
        guard peer == "127.0.0.1" || peer == "::1" || peer == "unknown",
            let forwarded = request.headers.forwarded("x-forwarded-for")?.split(separator: ",").last
        else { return peer }
        return String(forwarded.filter { !$0.isWhitespace }.prefix(64))
    }

    /// - Throws: ``Refusal`` 401 for anonymous callers and bad tokens, 429.
    func user(of request: Request) async throws -> User {
        try await user(authorization: request.headers[.authorization])
    }

    func user(authorization: String?) async throws -> User {
        let user = try await authenticator.user(authorization: authorization)
        try throttle.admit(.user(user.id))
        return user
    }

    /// Members with the role pass, and operators unless the app is hidden from outsiders.
    func member(
        _ user: User, ofAppNamed text: String, atLeast role: Role, hidesForeign: Bool
    ) async throws -> AppMember {
        guard let name = AppName(ifValid: text),
            let found = try await AppStore().find(named: name, for: user, in: database)
        else { throw Refusal.notFound("App") }
        if hidesForeign, found.role == nil { throw Refusal.notFound("App") }
        guard user.isOperator || found.role.map({ $0 >= role }) ?? false else { throw Refusal.forbidden() }
        return AppMember(user: user, app: found.app, role: found.role)
    }

    /// - Throws: ``Refusal`` 401 without a token, 403 without the scope.
    func machine(of request: Request, scope: String) async throws -> VerifiedToken {
        guard let token = try await verifier.token(of: request) else {
            throw Refusal.unauthenticated("Authentication credentials were not provided.", scheme: "Bearer")
        }
        guard token.scopes.contains(scope) else { throw Refusal.forbidden() }
        return token
    }
}

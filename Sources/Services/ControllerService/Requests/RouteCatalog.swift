import AccessTokens
import HTTPTypes
import Hummingbird
import PlatformModel

/// Declares the controller's routes: path, method, policy and handler in one call.
///
/// The handler receives a ``Call`` whose caller the policy has established, so a handler that needs a user cannot be
/// declared on an open route. ``finish()`` adds the answers for methods a path does not have.
final class RouteCatalog {
    typealias Handler<Caller: Sendable> = @Sendable (Call<Caller>) async throws -> Response

    /// A declared route, for the test that compares it with the router's.
    struct Route: Hashable {
        let method: String
        let path: String
    }

    let router: Router<ControllerContext>
    private let access: AccessControl
    private(set) var policies: [Route: AccessPolicy] = [:]
    private var methods: [String: Set<HTTPRequest.Method>] = [:]

    init(router: Router<ControllerContext>, access: AccessControl) {
        self.router = router
        self.access = access
    }

    func open(
        _ method: HTTPRequest.Method, _ path: String, policy: AccessPolicy = .open,
        use handler: @escaping Handler<Anonymous>
    ) {
        let access = access
        add(method, path, policy) { request, context in
            try access.admitAnonymous(request, context, policy: policy)
            return try await handler(Call(request: request, context: context, caller: Anonymous()))
        }
    }

    func signedIn(_ method: HTTPRequest.Method, _ path: String, use handler: @escaping Handler<User>) {
        let access = access
        add(method, path, .signedIn) { request, context in
            let user = try await access.user(of: request)
            return try await handler(Call(request: request, context: context, caller: user))
        }
    }

    /// A route below an app, whose name is the path parameter `app`.
    func app(
        _ method: HTTPRequest.Method, _ path: String, _ role: Role, itself: Bool = false,
        use handler: @escaping Handler<AppMember>
    ) {
        let access = access
        add(method, path, itself ? .appItself(role) : .app(role)) { request, context in
            let user = try await access.user(of: request)
            let name = context.parameters.get("app") ?? ""
            let member = try await access.member(user, ofAppNamed: name, atLeast: role, hidesForeign: itself)
            return try await handler(Call(request: request, context: context, caller: member))
        }
    }

    func machine(
        _ method: HTTPRequest.Method, _ path: String, scope: String, use handler: @escaping Handler<VerifiedToken>
    ) {
        let access = access
        add(method, path, .scope(scope)) { request, context in
            let token = try await access.machine(of: request, scope: scope)
            return try await handler(Call(request: request, context: context, caller: token))
        }
    }

    private func add(
        _ method: HTTPRequest.Method, _ path: String, _ policy: AccessPolicy,
        _ handler: @escaping @Sendable (Request, ControllerContext) async throws -> Response
    ) {
        router.on(RouterPath(path), method: method) { request, context in
            try RequestRule.check(request)
            return try await handler(request, context)
        }
        policies[Route(method: method.rawValue, path: path)] = policy
        methods[path, default: []].insert(method)
        if method == .get {
            router.on(RouterPath(path), method: .head) { request, context in
                try RequestRule.check(request)
                return try await handler(request, context).createHeadResponse()
            }
            policies[Route(method: "HEAD", path: path)] = policy
            methods[path, default: []].insert(.head)
        }
    }

    /// Answers `OPTIONS` everywhere, and the methods a known path lacks with 405.
    func finish() {
        let all: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete]
        for (path, known) in methods {
            let allowed = (known.map(\.rawValue) + ["OPTIONS"]).sorted().joined(separator: ", ")
            router.on(RouterPath(path), method: .options) { _, _ in CrossOriginPolicy.preflight(allowed: allowed) }
            policies[Route(method: "OPTIONS", path: path)] = .open
            for method in all where !known.contains(method) {
                router.on(RouterPath(path), method: method) { request, _ -> Response in
                    throw Refusal(
                        .methodNotAllowed, .detail("Method \"\(request.method.rawValue)\" not allowed."),
                        headers: [.allow: allowed])
                }
                policies[Route(method: method.rawValue, path: path)] = .open
            }
        }
    }
}

/// A caller nobody asked for credentials.
struct Anonymous: Sendable {}

/// A signed-in caller and the app the request is about, whose policy they have passed.
struct AppMember: Sendable {
    let user: User
    let app: App
    /// Nil for operators who are no members of the workspace.
    let role: Role?
}

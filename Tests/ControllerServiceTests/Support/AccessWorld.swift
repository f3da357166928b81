import AccessTokens
import HTTPTypes
import PlatformModel
import Testing

@testable import ControllerService

/// Two workspaces with an app each, and everybody who may want something of them.
///
/// Ada owns `acme1` with `myapp`, an SSH key and a token, and has a viewer, a member and an admin there. Eve, the
/// outsider, owns `eves1` with `evesapp`.
struct AccessWorld: Sendable {
    enum Caller: String, CaseIterable {
        case anonymous, outsider, viewer, member, admin, owner, staff, builder, router, otherMachine

        fileprivate var scope: String? {
            switch self {
            case .builder: MachineScope.hook
            case .router: MachineScope.routes
            case .otherMachine: "logger:write"
            default: nil
            }
        }

        /// The role in the workspace of the object the call is about.
        fileprivate func role(isOwn: Bool) -> Role? {
            switch self {
            case .viewer: isOwn ? .viewer : nil
            case .member: isOwn ? .member : nil
            case .admin, .owner: isOwn ? .admin : nil
            case .outsider: isOwn ? nil : .admin
            default: nil
            }
        }
    }

    /// What a caller must get.
    enum Verdict: Equatable {
        case anything, allowed, emptyList
        case refused(Set<Int>)

        var isAllowed: Bool {
            if case .refused = self { return false }
            return true
        }
    }

    /// Whose the thing is that a route for signed-in people is about, by its path.
    private enum Object {
        /// The platform's catalogue.
        case everybodys
        /// Ada's own, whoever else is in her workspace.
        case personal
        /// The workspace's; the smallest role that may do it.
        case workspaces(Role)
        /// A list of the workspace's that looks empty to others.
        case workspacesList
    }

    private static let objects: [String: Object] = [
        "GET /v2/limits/specs/{id}/": .everybodys, "GET /v2/limits/plans/{id}/": .everybodys,
        "GET /v2/tokens/{uuid}/": .personal, "DELETE /v2/tokens/{uuid}/": .personal,
        "GET /v2/keys/**": .personal, "DELETE /v2/keys/**": .personal,
        "GET /v2/workspaces/{workspace}/": .workspaces(.viewer),
        "PUT /v2/workspaces/{workspace}/": .workspaces(.admin),
        "PATCH /v2/workspaces/{workspace}/": .workspaces(.admin),
        "DELETE /v2/workspaces/{workspace}/": .workspaces(.admin),
        "GET /v2/workspaces/{workspace}/members/": .workspacesList,
        "GET /v2/workspaces/{workspace}/members/{username}/": .workspaces(.viewer),
        "PATCH /v2/workspaces/{workspace}/members/{username}/": .workspaces(.admin),
        "DELETE /v2/workspaces/{workspace}/members/{username}/": .workspaces(.admin),
        "GET /v2/workspaces/{workspace}/invitations/": .workspacesList,
        "POST /v2/workspaces/{workspace}/invitations/": .workspaces(.admin),
        "DELETE /v2/workspaces/{workspace}/invitations/{token}/": .workspaces(.admin),
    ]

    static let publicKey =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXnTBKoL0fbqYTGOeKGMrzLh3X4CNMMTeCQGgJeKDLw ada@laptop"

    let api: API
    private(set) var credentials: [Caller: String] = [:]
    private var tokenID = ""

    init(_ api: API) async throws {
        self.api = api
        let owner = try await api.signUp("ada", id: 7)
        credentials[.owner] = owner
        try await api.makeApp(as: owner)
        let key = try await api.call(
            .post, "/v2/keys/", #"{"id":"ada@laptop","public":"\#(Self.publicKey)"}"#, as: owner)
        try #require(key.status == 201, "\(key.text)")
        for (index, caller) in [Caller.viewer, .member, .admin].enumerated() {
            credentials[caller] = try await Self.join(api, caller.rawValue, id: 20 + index, invitedBy: owner)
        }
        let outsider = try await api.signUp("eve", id: 30)
        credentials[.outsider] = outsider
        try await api.makeApp("evesapp", workspace: "eves1", as: outsider)
        credentials[.staff] = try await api.signUp("root", id: 1, isStaff: true)
        for caller in Caller.allCases {
            guard let scope = caller.scope else { continue }
            credentials[caller] = try api.machine(caller.rawValue, scope: ScopeSet([scope]))
        }
        let tokens = try await api.call(.get, "/v2/tokens/", as: owner).json
        tokenID = try #require(tokens["results"]?.arrayValue?.first?["uuid"]?.stringValue)
    }

    private static func join(_ api: API, _ role: String, id: Int, invitedBy owner: String) async throws -> String {
        let name = "user\(role)"
        let token = try await api.signUp(name, id: id)
        try await api.call(
            .post, "/v2/workspaces/acme1/invitations", #"{"email":"\#(name)@example.com"}"#, as: owner)
        let answer = try await api.call(
            .patch, "/v2/workspaces/acme1/members/\(name)", #"{"role":"\#(role)"}"#, as: owner)
        try #require(answer.status == 200, "\(answer.text)")
        return token
    }

    // MARK: - What must come of a call

    func verdict(
        _ route: RouteCatalog.Route, _ policy: AccessPolicy, _ caller: Caller, isOwn: Bool
    ) throws -> Verdict {
        switch policy {
        case .open, .loginPolling, .ownCredentials: return .anything
        case .scope(let scope):
            guard let own = caller.scope else { return .refused([401]) }
            return own == scope ? .allowed : .refused([403])
        case .signedIn, .app, .appItself:
            // Machines are nobody's users.
            guard caller != .anonymous, caller.scope == nil else { return .refused([401]) }
        }
        let role = caller.role(isOwn: isOwn)
        switch policy {
        case .app(let least):
            return caller == .staff || role.map { $0 >= least } ?? false ? .allowed : .refused([403])
        case .appItself(let least):
            guard let role else { return .refused([404]) }
            return role >= least ? .allowed : .refused([403])
        default: return try verdict(route, caller, role, isOwn: isOwn)
        }
    }

    private func verdict(_ route: RouteCatalog.Route, _ caller: Caller, _ role: Role?, isOwn: Bool) throws -> Verdict {
        guard route.path.contains("{") || route.path.contains("*") else { return .allowed }
        let method = route.method == "HEAD" ? "GET" : route.method
        switch try #require(Self.objects["\(method) \(route.path)"], "whose is \(method) \(route.path)?") {
        case .everybodys: return .allowed
        // There is one of each, ada's.
        case .personal: return caller == .owner ? .allowed : .refused([404])
        case .workspaces(let least):
            guard let role else { return .refused([403, 404]) }
            return role >= least ? .allowed : .refused([403])
        case .workspacesList: return role == nil ? .emptyList : .allowed
        }
    }

    // MARK: - Calling

    /// The path of a route with something of ada's, or of eve's, in it.
    func path(_ template: String, isOwn: Bool = true) -> String {
        let rest = template.hasPrefix("/v2/keys/") ? "ada@laptop" : "nope"
        let values = [
            "app": isOwn ? "myapp" : "evesapp", "workspace": isOwn ? "acme1" : "eves1",
            "username": isOwn ? "ada" : "eve", "uuid": tokenID, "version": "v1", "number": "1",
            "domain": "nope.example",
        ]
        let filled = values.reduce(template.replacing("**", with: rest)) { path, value in
            path.replacing("{\(value.key)}", with: value.value)
        }
        return ["pod", "name", "token", "id", "run", "key"].reduce(filled) { $0.replacing("{\($1)}", with: "nope") }
    }

    func call(
        _ route: RouteCatalog.Route, _ caller: Caller, isOwn: Bool = true, body: String = "{}"
    ) async throws -> API.Answer {
        let method = try #require(HTTPRequest.Method(route.method))
        return try await api.call(method, path(route.path, isOwn: isOwn), body, as: credentials[caller])
    }
}

import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres
import ServiceHTTP

/// What the builder asks about keys, apps and configs; machines with scope `controller:hook` only.
struct HookRoutes: Sendable {
    let database: PostgresPool
    let access: HookAccess
    let releases: ReleaseService
    let log: AppLog
    private let keys = KeyStore()

    init(database: PostgresPool, releases: ReleaseService, log: AppLog) {
        self.database = database
        self.access = HookAccess(database: database)
        self.releases = releases
        self.log = log
    }

    func addRoutes(to routes: RouteCatalog) {
        let scope = MachineScope.hook
        routes.machine(.get, "/v2/hooks/key/**", scope: scope) { call in try await owner(call.request) }
        routes.machine(.get, "/v2/hooks/keys/{app}/", scope: scope) { call in
            try await keys(ofApp: try call.parameter("app"), user: nil)
        }
        routes.machine(.get, "/v2/hooks/keys/{app}/{username}/", scope: scope) { call in
            try await keys(ofApp: try call.parameter("app"), user: try call.parameter("username"))
        }
        routes.machine(.post, "/v2/hooks/config/", scope: scope) { call in
            let members = try await call.members()
            let role: Role = members["access"] == "read" ? .viewer : .member
            let member = try await access.member(Form(members), atLeast: role)
            guard let good = try await releases.latestGood(of: member.app, in: database) else {
                throw Refusal.notFound("Release")
            }
            return try Reply.json(ConfigWire.document(good.config, member.app))
        }
        routes.machine(.post, "/v2/hooks/build/", scope: scope) { call in
            let members = try await call.members()
            let member = try await access.member(Form(members), atLeast: .member)
            let release = try await build(try BuildRule.content(members, allowsLoopback: true), member)
            return try Reply.json(["release": ["version": .integer(release.version.value)]])
        }
    }

    /// A fingerprint may hold slashes and colons; it is the rest of the path, percent-encoded or not.
    private func owner(_ request: Request) async throws -> Response {
        let raw = request.uri.path.dropFirst("/v2/hooks/key/".count)
        guard let text = PercentCoding.decode(raw), (16...128).contains(text.utf8.count), !text.utf8.contains(0),
            let user = try await keys.owner(ofFingerprint: Self.fingerprint(text), in: database), user.isActive
        else { throw Refusal.notFound("Key") }
        let apps = try await AppStore().names(for: user, in: database)
        return try Reply.json(["username": .string(user.username), "apps": JSONValue(apps)])
    }

    /// The form fingerprints are stored in: `SHA256:` without padding or a trailing slash, MD5 in lower case.
    static func fingerprint(_ text: String) -> String {
        var text = text[...]
        if text.hasPrefix("MD5:") { text = text.dropFirst(4) }
        guard text.hasPrefix("SHA256:") else { return text.filter { $0 != "/" }.lowercased() }
        while text.last == "=" { text = text.dropLast() }
        // 32 bytes are 43 characters of base64, so a 44th can only be the path's own slash.
        return String(text.prefix("SHA256:".count + 43))
    }

    private func keys(ofApp text: String, user: String?) async throws -> Response {
        guard let name = AppName(ifValid: text), let app = try await AppStore().find(named: name, in: database) else {
            throw Refusal.notFound("App")
        }
        if let user { _ = try await access.member(username: user, app: text, atLeast: .member) }
        let found = try await keys.keys(ofApp: app.uuid, in: database).filter { user == nil || $0.owner == user }
        if user != nil, found.isEmpty {
            throw Refusal(.notFound, .json("No Keys match the given query."))
        }
        let grouped = Dictionary(grouping: found, by: \.owner).mapValues { keys in
            JSONValue.array(
                keys.map { ["key": .string($0.publicKey), "fingerprint": .string($0.fingerprint)] })
        }
        return try Reply.json(.object(grouped))
    }

    private func build(_ content: BuildContent, _ member: AppMember) async throws -> Release {
        let release = try await database.withTransaction { transaction in
            guard let app = try await AppStore().lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            return try await releases.release(
                build: content, of: app, .init(username: member.user.username), in: transaction)
        }
        log.write("build \(member.app.id) created: \(release.summary)", to: member.app.id)
        return release
    }
}

extension HookAccess {
    /// The person and app named by `receive_user` and `receive_repo`.
    func member(_ form: Form, atLeast role: Role) async throws -> AppMember {
        var form = form
        let user = form.text("receive_user", limit: 254)
        let app = form.text("receive_repo", limit: 254)
        try form.validated()
        return try await member(username: user, app: app, atLeast: role)
    }
}

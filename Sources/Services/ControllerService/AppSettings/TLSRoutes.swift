import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// TLS settings of apps.
struct TLSRoutes: Sendable {
    let database: PostgresPool
    let store: TLSStore
    let log: AppLog

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/tls/", .viewer) { call in
            let app = call.caller.app
            return try Reply.json(Self.wire(try await store.find(of: app.uuid, in: database), app))
        }
        routes.app(.post, "/v2/apps/{app}/tls/", .member) { call in
            let member = call.caller
            let stored = try await change(try await call.members(), member)
            log.write("tls updated by \(member.user.username)", to: member.app.id)
            return try Reply.created(Self.wire(stored, member.app))
        }
    }

    /// Members left out keep their value.
    private func change(_ body: [String: JSONValue], _ member: AppMember) async throws -> StoredTLSSettings {
        var form = Form(body)
        let enforced = form.optionalFlag("https_enforced")
        let automatic = form.optionalFlag("certs_auto_enabled")
        let given = form.optionalObject("issuer").map(Form.init)
        try form.validated()
        var issuer: TLSIssuer?
        if var given {
            issuer = TLSIssuer(
                email: given.text("email", limit: 254), server: given.text("server", limit: 2000),
                keyID: given.optionalText("key_id") ?? "", keySecret: given.optionalText("key_secret") ?? "")
            guard given.problems.isEmpty else {
                throw Refusal.fields(["issuer": given.problems.sorted { $0.key < $1.key }.flatMap(\.value)])
            }
        }
        return try await database.withTransaction { transaction in
            guard let app = try await AppStore().lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            let old = try await store.find(of: app.uuid, in: transaction).settings
            let new = TLSSettings(
                httpsEnforced: enforced ?? old.httpsEnforced, certsAutoEnabled: automatic ?? old.certsAutoEnabled,
                issuer: issuer ?? old.issuer)
            guard new != old else { throw Refusal.conflict("\(app.workspace) changed nothing") }
            return try await store.replace(new, of: app.uuid, in: transaction)
        }
    }

    private static func wire(_ stored: StoredTLSSettings, _ app: App) -> JSONValue {
        let settings = stored.settings
        return [
            "uuid": JSONValue(stored.uuid), "app": .string(app.id.text),
            "https_enforced": settings.httpsEnforced.map { .bool($0) } ?? .null,
            "certs_auto_enabled": settings.certsAutoEnabled.map { .bool($0) } ?? .null,
            "issuer": [
                "email": .string(settings.issuer.email), "server": .string(settings.issuer.server),
                "key_id": .string(settings.issuer.keyID), "key_secret": .string(settings.issuer.keySecret),
            ],
            "events": [], "created": JSONValue(stored.created), "updated": JSONValue(stored.updated),
        ]
    }
}

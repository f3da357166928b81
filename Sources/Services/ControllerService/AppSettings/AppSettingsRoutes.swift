import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Settings of apps: routable, autodeploy, autorollback, autoscale, labels.
struct AppSettingsRoutes: Sendable {
    let database: PostgresPool
    let work: WorkQueue
    let log: AppLog
    private let store = AppSettingsStore()

    init(database: PostgresPool, work: WorkQueue, log: AppLog) {
        self.database = database
        self.work = work
        self.log = log
    }

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/settings/", .viewer) { call in
            let app = call.caller.app
            return try Reply.json(Self.wire(try await store.newest(of: app.uuid, in: database), app))
        }
        routes.app(.post, "/v2/apps/{app}/settings/", .member) { call in
            let member = call.caller
            let stored = try await change(try await call.members(), member)
            log.write("appsettings updated by \(member.user.username)", to: member.app.id)
            return try Reply.created(Self.wire(stored, member.app))
        }
    }

    private func change(_ body: [String: JSONValue], _ member: AppMember) async throws -> StoredAppSettings {
        try await database.withTransaction { transaction in
            let apps = AppStore()
            guard let app = try await apps.lock(member.app.uuid, in: transaction) else { throw Refusal.notFound("App") }
            let old = try await store.newest(of: app.uuid, in: transaction).settings
            let new = try old.applying(body)
            guard new != old else { throw Refusal.conflict("\(app.workspace) changed nothing") }
            let stored = try await store.insert(new, app: app.uuid, in: transaction)
            // Autoscale changes what runs; the rest is read when it is needed.
            if new.autoscale != old.autoscale {
                _ = try await apps.advanceGeneration(of: app.uuid, in: transaction)
                try await work.add(.deploy(app: app.uuid), in: transaction)
            }
            return stored
        }
    }

    private static func wire(_ stored: StoredAppSettings, _ app: App) -> JSONValue {
        let settings = stored.settings
        let autoscale = settings.autoscale.mapValues { rule -> JSONValue in
            ["min": .integer(rule.min), "max": .integer(rule.max), "cpu_percent": .integer(rule.cpuPercent)]
        }
        return [
            "uuid": JSONValue(stored.uuid), "app": .string(app.id.text), "routable": .bool(settings.routable),
            "autodeploy": .bool(settings.autodeploy), "autorollback": .bool(settings.autorollback),
            "autoscale": .object(autoscale), "label": .object(settings.label), "created": JSONValue(stored.created),
            "updated": JSONValue(stored.updated),
        ]
    }
}

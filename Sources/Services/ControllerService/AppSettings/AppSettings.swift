import FoundationEssentials
import PlatformModel
import Postgres

/// How an app is routed, deployed and scaled; every change makes a new row, the newest counts.
struct AppSettings: Sendable, Equatable {
    struct Autoscale: Codable, Sendable, Equatable {
        let min: Int
        let max: Int
        let cpuPercent: Int

        private enum CodingKeys: String, CodingKey {
            case min, max
            case cpuPercent = "cpu_percent"
        }

        init(min: Int, max: Int, cpuPercent: Int) {
            self.min = min
            self.max = max
            self.cpuPercent = cpuPercent
        }
    }

    var routable = true
    var autodeploy = true
    var autorollback = true
    var autoscale: [String: Autoscale] = [:]
    var label: [String: JSONValue] = [:]

    init() {}
}

/// A settings row with its identity.
struct StoredAppSettings: Sendable {
    let uuid: UUID
    let settings: AppSettings
    let created: Date
    let updated: Date
}

/// Settings rows of apps.
struct AppSettingsStore: Sendable {
    init() {}

    private static let columns: SQL = """
        uuid, routable, autodeploy, autorollback, autoscale, label, created, updated
        """

    private static func stored(_ row: Row) throws(PostgresError) -> StoredAppSettings {
        var settings = AppSettings()
        settings.routable = try row.decode("routable")
        settings.autodeploy = try row.decode("autodeploy")
        settings.autorollback = try row.decode("autorollback")
        settings.autoscale = try row.decode(json: "autoscale")
        settings.label = try row.decode(json: "label")
        return StoredAppSettings(
            uuid: try row.decode("uuid"), settings: settings, created: try row.decode("created"),
            updated: try row.decode("updated"))
    }

    func newest(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> StoredAppSettings {
        try Self.stored(
            try await executor.query(
                """
                SELECT \(sql: Self.columns) FROM app_settings WHERE app = \(app) ORDER BY sequence DESC LIMIT 1
                """
            ).one())
    }

    func insert(
        _ settings: AppSettings, app: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> StoredAppSettings {
        try Self.stored(
            try await executor.query(
                """
                INSERT INTO app_settings (uuid, app, routable, autodeploy, autorollback, autoscale, label)
                VALUES (\(UUID()), \(app), \(settings.routable), \(settings.autodeploy), \(settings.autorollback),
                    \(json: settings.autoscale), \(json: settings.label))
                RETURNING \(sql: Self.columns)
                """
            ).one())
    }
}

import FoundationEssentials
import PlatformModel
import Postgres

/// Config rows; values and registry credentials are sealed with the platform key.
struct ConfigStore: Sendable {
    private let vault: Vault

    init(vault: Vault) { self.vault = vault }

    /// The part of a config that is secret.
    private struct SealedPart: Codable {
        struct Entry: Codable {
            let ptype: String?
            let group: String?
            let name: String
            let value: String
        }

        let values: [Entry]
        let registry: [String: [String: String]]

        init(_ document: ConfigDocument) {
            registry = document.registry
            values = document.values.map { entry in
                switch entry.scope {
                case .ptype(let ptype): Entry(ptype: ptype, group: nil, name: entry.name, value: entry.value)
                case .group(let group): Entry(ptype: nil, group: group, name: entry.name, value: entry.value)
                }
            }
        }

        var configValues: [ConfigValue] {
            values.map { entry in
                let scope: ConfigValue.Scope =
                    entry.ptype.map { .ptype($0) } ?? .group(entry.group ?? ConfigValue.globalGroup)
                return ConfigValue(scope: scope, name: entry.name, value: entry.value)
            }
        }
    }

    private static let columns: SQL = """
        configs.uuid, configs.app, configs.sealed, configs.values_refs, configs.limits,
        configs.termination_grace_period, configs.tags, configs.healthcheck, configs.lifecycle, configs.created,
        configs.updated
        """

    private func config(_ row: Row) throws -> Config {
        let uuid = try row.decode("uuid", as: UUID.self)
        let sealed = try vault.open(
            try row.decode("sealed", as: [UInt8].self), purpose: Self.purpose(uuid), as: SealedPart.self)
        var document = ConfigDocument()
        document.values = sealed.configValues
        document.registry = sealed.registry
        document.valuesRefs = try row.decode(json: "values_refs")
        document.limits = try row.decode(json: "limits")
        document.terminationGracePeriod = try row.decode(json: "termination_grace_period")
        document.tags = try row.decode(json: "tags")
        document.healthcheck = try row.decode(json: "healthcheck")
        document.lifecycle = try row.decode(json: "lifecycle")
        return Config(
            uuid: uuid, app: try row.decode("app"), document: document, created: try row.decode("created"),
            updated: try row.decode("updated"))
    }

    func find(_ uuid: UUID, in executor: some SQLExecutor) async throws -> Config? {
        let rows = try await executor.query("SELECT \(sql: Self.columns) FROM configs WHERE uuid = \(uuid)")
        return try rows.first.map(config)
    }

    func newest(of app: UUID, in executor: some SQLExecutor) async throws -> Config? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM configs WHERE app = \(app) ORDER BY created DESC, uuid LIMIT 1
            """)
        return try rows.first.map(config)
    }

    func insert(_ document: ConfigDocument, app: UUID, in executor: some SQLExecutor) async throws -> Config {
        let uuid = UUID()
        let sealed = try vault.seal(SealedPart(document), purpose: Self.purpose(uuid))
        let rows = try await executor.query(
            """
            INSERT INTO configs (uuid, app, sealed, sealed_key_id, values_refs, limits, termination_grace_period, tags,
                healthcheck, lifecycle, created)
            VALUES (\(uuid), \(app), \(sealed.bytes), \(sealed.keyID), \(json: document.valuesRefs),
                \(json: document.limits), \(json: document.terminationGracePeriod), \(json: document.tags),
                \(json: document.healthcheck), \(json: document.lifecycle), clock_timestamp())
            RETURNING \(sql: Self.columns)
            """)
        return try config(try rows.one())
    }

    private static func purpose(_ uuid: UUID) -> String { "config:\(uuid.uuidString.lowercased())" }
}

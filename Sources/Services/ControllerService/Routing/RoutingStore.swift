import FoundationEssentials
import OpenSSLCrypto
import Postgres
import ServiceHTTP

/// Makes the routing table from the rows it consists of, and numbers its changes.
struct RoutingStore: Sendable {
    /// Announced by the tables' triggers whenever a row of theirs has changed.
    static let changeChannel = "routing"
    /// Announced when the router has put a version into effect.
    static let appliedChannel = "routing_applied"

    /// The domain below which each app has a host.
    let platformDomain: String

    /// Builds the table as the rows are now and gives it a new version if it differs from the last one.
    func refresh(_ pool: PostgresPool) async throws -> RoutingTable {
        try await pool.withTransaction { transaction in
            // The row lock lets replicas take turns, so that versions follow the order of the rows' changes.
            let state = try await transaction.query(
                "SELECT version, digest FROM routing_state WHERE singleton FOR UPDATE"
            ).one()
            var table = RoutingTable(
                version: try state.decode("version"), hosts: try await hosts(in: transaction), certificates: [])
            let digest = SHA256Digest.hash(try JSONCoding.encoder.encode(table.hosts))
            if digest != (try state.decode("digest", as: [UInt8].self)) {
                table.version += 1
                try await transaction.execute(
                    """
                    UPDATE routing_state SET version = \(table.version), digest = \(digest), updated = now()
                    WHERE singleton
                    """)
            }
            return table
        }
    }

    /// The version the router confirmed last.
    func appliedVersion(in executor: some SQLExecutor) async throws(PostgresError) -> Int {
        try await executor.query("SELECT applied_version FROM routing_state WHERE singleton").one()
            .decode("applied_version")
    }

    /// Notes that the router has put `version` into effect; an older confirmation changes nothing.
    func confirm(_ version: Int, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            """
            WITH confirmed AS (
                UPDATE routing_state SET applied_version = \(version), applied = now()
                WHERE singleton AND applied_version < \(version) AND version >= \(version) RETURNING 1
            )
            SELECT pg_notify(\(Self.appliedChannel), '') FROM confirmed
            """)
    }

    /// One query for all hosts: an app's own, for its `web` processes, and its domains, each for its process type.
    private func hosts(in executor: some SQLExecutor) async throws -> [RoutingTable.Host] {
        let rows = try await executor.query(
            """
            WITH names AS (
                SELECT apps.uuid AS app, apps.id || '.' || \(platformDomain)::text AS host, 'web' AS ptype FROM apps
                UNION
                SELECT app, domain, ptype FROM domains
            )
            SELECT names.host, apps.id AS app,
                coalesce(settings.routable, true) AS routable,
                coalesce(app_tls.https_enforced, false) AS enforced,
                coalesce(array_agg(endpoints.address ORDER BY endpoints.pod, endpoints.port)
                    FILTER (WHERE endpoints.pod IS NOT NULL), '{}') AS addresses,
                coalesce(array_agg(endpoints.port ORDER BY endpoints.pod, endpoints.port)
                    FILTER (WHERE endpoints.pod IS NOT NULL), '{}') AS ports
            FROM names JOIN apps ON apps.uuid = names.app
            LEFT JOIN LATERAL (
                SELECT routable FROM app_settings WHERE app_settings.app = apps.uuid ORDER BY sequence DESC LIMIT 1
            ) AS settings ON true
            LEFT JOIN app_tls ON app_tls.app = apps.uuid
            LEFT JOIN endpoints
                ON endpoints.app = apps.uuid AND endpoints.ptype = names.ptype AND endpoints.state = 'ready'
            GROUP BY names.host, apps.id, settings.routable, app_tls.https_enforced
            ORDER BY names.host
            """)
        return try rows.map { (row) throws(PostgresError) in try Self.host(row) }
    }

    private static func host(_ row: Row) throws(PostgresError) -> RoutingTable.Host {
        let addresses = try row.decode("addresses", as: [String].self)
        let ports = try row.decode("ports", as: [Int].self)
        let isRoutable = try row.decode("routable", as: Bool.self)
        let backends = zip(addresses, ports).map { RoutingTable.Host.Backend(address: $0, port: $1) }
        return RoutingTable.Host(
            host: try row.decode("host"), app: try row.decode("app"),
            state: !isRoutable ? .maintenance : backends.isEmpty ? .noProcess : .serving, backends: backends,
            https: try row.decode("enforced") ? .enforced : .optional, certificate: nil)
    }
}

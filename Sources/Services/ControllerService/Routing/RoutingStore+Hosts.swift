import FoundationEssentials
import Postgres

/// The hosts of the routing table: made from the apps' rows, read as the router needs them.
extension RoutingStore {
    /// Takes the apps whose rows have changed since they were last taken.
    func noted(in transaction: Transaction) async throws(PostgresError) -> [UUID] {
        let rows = try await transaction.query(
            """
            WITH taken AS (DELETE FROM routing_dirty RETURNING app)
            SELECT DISTINCT app FROM taken
            """)
        return try rows.map { (row) throws(PostgresError) in try row.decode("app", as: UUID.self) }
    }

    /// Makes the hosts of these apps again and marks those that differ with `version`.
    ///
    /// An app has its own host, for its `web` processes, and its domains, each for its process type.
    /// - Returns: how many hosts changed.
    func store(hostsOf apps: [UUID], version: Int, in transaction: Transaction) async throws(PostgresError) -> Int {
        try await transaction.query(
            """
            WITH names AS (
                SELECT uuid AS owner, id || '.' || \(platformDomain)::text AS host, 'web' AS ptype FROM apps
                WHERE uuid = ANY(\(apps)::uuid[])
                UNION
                SELECT app, domain, ptype FROM domains WHERE app = ANY(\(apps)::uuid[])
            ), wanted AS MATERIALIZED (
                SELECT DISTINCT ON (names.host) names.host, names.owner, apps.id AS app,
                    CASE WHEN NOT coalesce(settings.routable, true) THEN 'maintenance'
                        WHEN count(endpoints.pod) = 0 THEN 'no_process' ELSE 'serving' END AS state,
                    CASE WHEN app_tls.https_enforced THEN 'enforced' ELSE 'optional' END AS https,
                    coalesce(array_agg(endpoints.address ORDER BY endpoints.pod, endpoints.port)
                        FILTER (WHERE endpoints.pod IS NOT NULL), '{}') AS addresses,
                    coalesce(array_agg(endpoints.port ORDER BY endpoints.pod, endpoints.port)
                        FILTER (WHERE endpoints.pod IS NOT NULL), '{}') AS ports
                FROM names JOIN apps ON apps.uuid = names.owner
                LEFT JOIN LATERAL (
                    SELECT routable FROM app_settings WHERE app_settings.app = apps.uuid
                    ORDER BY sequence DESC LIMIT 1
                ) AS settings ON true
                LEFT JOIN app_tls ON app_tls.app = apps.uuid
                LEFT JOIN endpoints
                    ON endpoints.app = apps.uuid AND endpoints.ptype = names.ptype AND endpoints.state = 'ready'
                GROUP BY names.host, names.owner, apps.id, settings.routable, app_tls.https_enforced
                ORDER BY names.host, apps.id
            ), gone AS (
                UPDATE routing_hosts SET removed = true, addresses = '{}', ports = '{}', version = \(version)
                WHERE owner = ANY(\(apps)::uuid[]) AND NOT removed
                    AND NOT EXISTS (SELECT 1 FROM wanted WHERE wanted.host = routing_hosts.host)
                RETURNING 1
            ), stored AS (
                INSERT INTO routing_hosts AS held (host, owner, app, state, https, addresses, ports, version)
                SELECT host, owner, app, state, https, addresses, ports, \(version) FROM wanted
                ON CONFLICT (host) DO UPDATE SET owner = excluded.owner, app = excluded.app, state = excluded.state,
                    https = excluded.https, addresses = excluded.addresses, ports = excluded.ports, removed = false,
                    version = excluded.version
                WHERE (held.owner, held.app, held.state, held.https, held.addresses, held.ports, held.removed)
                    IS DISTINCT FROM (excluded.owner, excluded.app, excluded.state, excluded.https,
                        excluded.addresses, excluded.ports, false)
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM stored) AS changed
            """
        ).one().decode("changed")
    }

    /// All hosts of the table, by name.
    func hosts(in transaction: Transaction) async throws(PostgresError) -> [RoutingTable.Host] {
        let rows = try await transaction.query(
            """
            SELECT host, app, state, https, addresses, ports, removed FROM routing_hosts WHERE NOT removed ORDER BY host
            """)
        return try rows.map { (row) throws(PostgresError) in try Self.host(row) }
    }

    /// The hosts that changed after `known`, by name.
    func changes(
        since known: Int, version: Int, in transaction: Transaction
    ) async throws(PostgresError) -> RoutingChanges {
        let rows = try await transaction.query(
            """
            SELECT host, app, state, https, addresses, ports, removed FROM routing_hosts WHERE version > \(known)
            ORDER BY host
            """)
        var changes = RoutingChanges(version: version, since: known)
        for row in rows {
            if try row.decode("removed", as: Bool.self) {
                changes.removed.append(try row.decode("host"))
            } else {
                changes.hosts.append(try Self.host(row))
            }
        }
        return changes
    }

    private static func host(_ row: Row) throws(PostgresError) -> RoutingTable.Host {
        let addresses = try row.decode("addresses", as: [String].self)
        let ports = try row.decode("ports", as: [Int].self)
        // The table's checks allow no other words.
        let state = RoutingTable.Host.State(rawValue: try row.decode("state"))
        let https = RoutingTable.Host.HTTPS(rawValue: try row.decode("https"))
        return RoutingTable.Host(
            host: try row.decode("host"), app: try row.decode("app"), state: state ?? .noProcess,
            backends: zip(addresses, ports).map { RoutingTable.Host.Backend(address: $0, port: $1) },
            https: https ?? .optional, certificate: nil)
    }
}

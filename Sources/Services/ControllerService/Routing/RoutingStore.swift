import Postgres

/// Keeps the routing table in step with the rows it consists of, and numbers its changes.
struct RoutingStore: Sendable {
    /// Announced by the tables' triggers whenever a row of theirs has changed.
    static let changeChannel = "routing"
    /// Announced when the router has put a version into effect.
    static let appliedChannel = "routing_applied"
    /// How many versions a removed host is remembered: a router further behind takes the whole table.
    static let remembered = 1000

    /// The domain below which each app has a host.
    let platformDomain: String

    /// Brings the table to what the rows say now and returns its version, a new one if any host changed.
    @discardableResult
    func refresh(_ pool: PostgresPool) async throws -> Int {
        try await pool.withTransaction { transaction in
            // The row lock lets replicas take turns, so that versions follow the order of the rows' changes.
            let state = try await transaction.query(
                "SELECT version, platform_domain FROM routing_state WHERE singleton FOR UPDATE"
            ).one()
            let version = try state.decode("version", as: Int.self)
            let isForAnotherDomain = try state.decode("platform_domain", as: String.self) != platformDomain
            if isForAnotherDomain {
                try await transaction.execute(
                    "INSERT INTO routing_dirty SELECT uuid FROM apps UNION SELECT owner FROM routing_hosts")
            }
            let apps = try await noted(in: transaction)
            let changed = apps.isEmpty ? 0 : try await store(hostsOf: apps, version: version + 1, in: transaction)
            guard isForAnotherDomain || changed > 0 else { return version }
            try await transaction.execute(
                """
                UPDATE routing_state SET version = \(version + 1), platform_domain = \(platformDomain), updated = now()
                WHERE singleton
                """)
            try await transaction.execute(
                "DELETE FROM routing_hosts WHERE removed AND version <= \(version - Self.remembered)")
            return version + 1
        }
    }

    /// What a router that has version `known` lacks, nil when it lacks nothing.
    ///
    /// A version from before the remembered ones, or one that never was (the database came from a backup), gets the
    /// whole table.
    func news(since known: Int, takesChanges: Bool = true, in pool: PostgresPool) async throws -> RoutingNews? {
        try await pool.withTransaction { transaction in
            // No version is made while the rows are read.
            let version = try await transaction.query(
                "SELECT version FROM routing_state WHERE singleton FOR SHARE"
            ).one().decode("version", as: Int.self)
            if version == known { return nil }
            guard takesChanges, known > 0, known < version, known >= version - Self.remembered else {
                return .table(RoutingTable(version: version, hosts: try await hosts(in: transaction), certificates: []))
            }
            return .changes(try await changes(since: known, version: version, in: transaction))
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
}

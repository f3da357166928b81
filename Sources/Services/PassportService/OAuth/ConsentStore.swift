import AccessTokens
import FoundationEssentials
import Postgres

/// What people allowed to which client.
struct ConsentStore: Sendable {
    /// Whether the person allowed all of `scope` before; wider requests ask again.
    func covers(_ scope: ScopeSet, client: Client, userID: Int, in executor: some SQLExecutor) async throws -> Bool {
        let rows = try await executor.query(
            "SELECT scope FROM consents WHERE user_id = \(userID) AND client_id = \(client.id)")
        guard let row = rows.first else { return false }
        return scope.isSubset(of: ScopeSet(parameter: try row.decode("scope")) ?? [])
    }

    func record(
        _ scope: ScopeSet, client: Client, userID: Int, at time: Date, in pool: PostgresPool
    ) async throws {
        try await pool.withTransaction { transaction in
            let rows = try await transaction.query(
                "SELECT scope FROM consents WHERE user_id = \(userID) AND client_id = \(client.id) FOR UPDATE")
            let before = try rows.first.flatMap { ScopeSet(parameter: try $0.decode("scope")) } ?? []
            let all = before.union(scope).description
            try await transaction.execute(
                """
                INSERT INTO consents (user_id, client_id, scope, granted_at)
                VALUES (\(userID), \(client.id), \(all), \(time))
                ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at
                """)
        }
    }
}

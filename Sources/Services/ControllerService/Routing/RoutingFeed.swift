import ConcurrencyPrimitives
import Postgres

/// Hands the routing table to routers that wait for a newer one than they have.
struct RoutingFeed: Sendable {
    private let pool: PostgresPool
    private let notifications: PostgresNotifications
    private let store: RoutingStore

    init(pool: PostgresPool, notifications: PostgresNotifications, store: RoutingStore) {
        self.pool = pool
        self.notifications = notifications
        self.store = store
    }

    /// The table once its version is above `version`; nil when none came within `limit`.
    func table(after version: Int, waiting limit: Duration) async throws -> RoutingTable? {
        // Listening begins before the first look, so that no change falls in between.
        let changes = notifications.listen(RoutingStore.changeChannel)
        let current = try await store.refresh(pool)
        if current.version > version { return current }
        do {
            return try await withDeadline(limit) {
                for await _ in changes {
                    let table = try await store.refresh(pool)
                    if table.version > version { return table }
                }
                throw CancellationError()
            }
        } catch is DeadlineExceeded {
            return nil
        }
    }

    func confirm(_ version: Int) async throws { try await store.confirm(version, in: pool) }
}

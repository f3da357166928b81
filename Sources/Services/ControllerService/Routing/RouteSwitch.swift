import ConcurrencyPrimitives
import Postgres

/// Lets the deploy worker wait until the edge sends requests where the rows say.
struct RouteSwitch: Sendable {
    private let pool: PostgresPool
    private let notifications: PostgresNotifications
    private let store: RoutingStore

    init(pool: PostgresPool, notifications: PostgresNotifications, store: RoutingStore) {
        self.pool = pool
        self.notifications = notifications
        self.store = store
    }

    /// Returns once the router has confirmed the table as the rows are now.
    ///
    /// - Returns: false when it has not within `limit`: the edge may still send requests to the old processes.
    func awaitApplied(within limit: Duration) async throws -> Bool {
        let confirmations = notifications.listen(RoutingStore.appliedChannel)
        let wanted = try await store.refresh(pool)
        if try await store.appliedVersion(in: pool) >= wanted { return true }
        do {
            try await withDeadline(limit) {
                for await _ in confirmations where try await store.appliedVersion(in: pool) >= wanted { return }
                throw CancellationError()
            }
            return true
        } catch is DeadlineExceeded {
            return false
        }
    }
}

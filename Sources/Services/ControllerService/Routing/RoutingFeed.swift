import ConcurrencyPrimitives
import Postgres
import ServiceLifecycle

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

    /// What a router with version `known` lacks, as soon as there is something; nil when nothing came within `limit`.
    ///
    /// A controller that is told to stop answers at once; the router asks the next one.
    /// - Parameter takesChanges: false gives whole tables only.
    func news(since known: Int, takesChanges: Bool = true, waiting limit: Duration) async throws -> RoutingNews? {
        // Listening begins before the first look, so that no change falls in between.
        let changes = notifications.listen(RoutingStore.changeChannel)
        if let news = try await latest(since: known, takesChanges) { return news }
        do {
            return try await withDeadline(limit) {
                for await _ in changes.cancelOnGracefulShutdown() {
                    if let news = try await latest(since: known, takesChanges) { return news }
                }
                try Task.checkCancellation()
                return nil
            }
        } catch is DeadlineExceeded {
            return nil
        }
    }

    private func latest(since known: Int, _ takesChanges: Bool) async throws -> RoutingNews? {
        guard try await store.refresh(pool) != known else { return nil }
        return try await store.news(since: known, takesChanges: takesChanges, in: pool)
    }

    func confirm(_ version: Int) async throws { try await store.confirm(version, in: pool) }
}

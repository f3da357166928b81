import Postgres
import Synchronization

/// Clients by id, remembered for a few seconds so that machine tokens cost no query each.
///
/// A changed client takes effect on every replica within ``freshness``.
final class ClientDirectory: Sendable {
    private static let freshness: Duration = .seconds(5)
    private static let limit = 1000

    private let pool: PostgresPool
    private let store = ClientStore()
    private let known = Mutex<[String: (client: Client, loaded: ContinuousClock.Instant)]>([:])

    init(pool: PostgresPool) { self.pool = pool }

    func client(id: String) async throws -> Client? {
        let loaded = known.withLock { $0[id] }
        if let loaded, loaded.loaded.duration(to: .now) < Self.freshness { return loaded.client }
        guard id.utf8.count <= 200, !id.utf8.contains(0), let client = try await store.client(id: id, in: pool) else {
            known.withLock { $0[id] = nil }
            return nil
        }
        known.withLock { known in
            if known.count >= Self.limit { known.removeAll() }
            known[id] = (client, .now)
        }
        return client
    }
}

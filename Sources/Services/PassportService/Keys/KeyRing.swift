import AccessTokens
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

/// The signing keys in memory, read anew at intervals so that a rotation reaches every replica.
final class KeyRing: Service {
    private static let interval: Duration = .seconds(15)

    private let store: SigningKeyStore
    private let pool: PostgresPool
    private let logger: Logger
    private let now: CurrentTime
    private let held: Mutex<SigningKeys>

    /// Reads the keys, making them first if there are none.
    init(store: SigningKeyStore, pool: PostgresPool, logger: Logger, now: @escaping CurrentTime) async throws {
        try await store.createMissing(at: now(), in: pool)
        self.store = store
        self.pool = pool
        self.logger = logger
        self.now = now
        held = Mutex(await SigningKeys(try await store.published(at: now(), in: pool)))
    }

    /// The keys as of the last reading.
    var keys: SigningKeys { held.withLock { $0 } }

    /// Reads the keys now.
    func reload() async throws {
        let fresh = await SigningKeys(try await store.published(at: now(), in: pool))
        held.withLock { $0 = fresh }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                do {
                    try await Task.sleep(for: Self.interval)
                    try await reload()
                } catch is CancellationError {
                    return
                } catch {
                    // The keys at hand go on being used; the database's own readiness check tells the operator.
                    logger.warning("Signing keys cannot be read", metadata: ["error": "\(String(reflecting: error))"])
                }
            }
        }
    }
}

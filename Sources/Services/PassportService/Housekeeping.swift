import FoundationEssentials
import Logging
import Metrics
import Postgres
import ServiceLifecycle

/// Removes what has expired. Every replica does it; twice does no harm.
struct Housekeeping: Service {
    private static let interval: Duration = .seconds(300)
    private static let batch = 5000
    /// Used codes and tokens are kept past their end, so that a late replay is still recognised.
    private static let memory: TimeInterval = 86_400

    let pool: PostgresPool
    let logger: Logger
    let now: CurrentTime
    private let removed = Counter(label: "passport.expired_rows.removed")

    init(pool: PostgresPool, logger: Logger, now: @escaping CurrentTime) {
        self.pool = pool
        self.logger = logger
        self.now = now
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await Task.sleep(for: Self.interval)
                    removed.increment(by: try await sweep())
                } catch is CancellationError {
                    return
                } catch {
                    // Nothing is lost by waiting for the next round.
                    logger.warning(
                        "Expired rows cannot be removed", metadata: ["error": "\(String(reflecting: error))"])
                }
            }
        }
    }

    /// Removes one batch of each kind and returns how many rows went.
    func sweep() async throws -> Int {
        let time = now()
        let before = time.addingTimeInterval(-Self.memory)
        var count = 0
        for (table, column, limit) in [
            ("sessions", "expires_at", time), ("revoked_tokens", "expires_at", time), ("rate_limits", "full_at", time),
            ("authorization_codes", "expires_at", before), ("refresh_tokens", "expires_at", before),
            ("token_families", "expires_at", before), ("signing_keys", "published_until", before),
        ] {
            count += try await pool.execute(
                """
                DELETE FROM \(identifier: table) WHERE ctid = ANY(ARRAY(
                    SELECT ctid FROM \(identifier: table) WHERE \(identifier: column) < \(limit) LIMIT \(Self.batch)))
                """)
        }
        return count
    }
}

import FoundationEssentials
import Logging
import Metrics
import ObjectStorage
import Postgres
import ServiceLifecycle

/// Removes the source bundles nobody will build any more: those of builds that have ended, and those of pushes that were
/// cut off before anybody recorded them.
///
/// Starts from what the store holds, so that nothing has to be remembered about a removal that failed.
struct SourceCleaner: Service {
    /// Where the builder puts bundles.
    static let prefix = "sources/"
    /// A bundle this young may belong to a push that is about to be recorded.
    static let youth: TimeInterval = 24 * 3600
    private static let period = Duration.seconds(3600)

    let pool: PostgresPool
    /// Opens the store; asked anew each time, since it may be away when this process starts.
    let openStore: @Sendable () async throws -> any ObjectStore
    let logger: Logger
    private let removed = Counter(label: "controller.sources.removed")

    init(pool: PostgresPool, openStore: @escaping @Sendable () async throws -> any ObjectStore, logger: Logger) {
        self.pool = pool
        self.openStore = openStore
        self.logger = logger
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    await cleanOrTell()
                    try await Task.sleep(for: Self.period * Double.random(in: 0.9...1.1))
                }
            }
        } catch is CancellationError {
            // The process is stopping.
        }
    }

    private func cleanOrTell() async {
        do {
            let count = try await clean(await openStore(), now: .now)
            if count > 0 { logger.info("Source bundles removed", metadata: ["count": "\(count)"]) }
        } catch is CancellationError {
            // The process is stopping.
        } catch {
            logger.warning(
                "Source bundles cannot be cleaned up", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    /// Removes what is not needed at `now`, and returns how many bundles that were.
    func clean(_ store: any ObjectStore, now: Date) async throws -> Int {
        var count = 0
        var after: ObjectKey?
        repeat {
            let page = try await store.list(prefix: Self.prefix, after: after, limit: 1000)
            let old = page.objects.filter { now.timeIntervalSince($0.modified) > Self.youth }.map(\.key)
            let needed = try await BuildRunStore().keysToBuild(among: old.map(\.description), in: pool)
            for key in old where !needed.contains(key.description) {
                try await store.delete(key)
                removed.increment()
                count += 1
            }
            after = page.next
        } while after != nil
        return count
    }
}

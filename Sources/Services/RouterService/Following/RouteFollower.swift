import ConcurrencyPrimitives
package import Logging
import Metrics
import ServiceLifecycle

/// Follows the controller's routing table, applies each version and acknowledges it.
///
/// While the controller is away the last good table stays in force. The first question of a process asks for the whole
/// table whatever was stored, so that a controller restored from a backup is followed as well.
package struct RouteFollower: Service {
    private let source: RouteSource
    private let table: EdgeTable
    private let logger: Logger
    private let failures = Counter(label: "router.follow.failures")

    package init(source: RouteSource, table: EdgeTable, logger: Logger) {
        self.source = source
        self.table = table
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { await follow() }
    }

    private func follow() async {
        let backoff = Backoff(initial: .milliseconds(100), limit: .seconds(3))
        var waits = backoff.makeIterator()
        var version = 0
        while !Task.isCancelled {
            do {
                if let next = try await source.next(after: version) {
                    try await table.apply(next)
                    try await source.acknowledge(next.version)
                    version = next.version
                    logger.info(
                        "Applied a routing table",
                        metadata: ["version": "\(next.version)", "changes": "\(next.size)"])
                }
                waits = backoff.makeIterator()
            } catch is CancellationError {
                return
            } catch {
                if error is EdgeTable.OutOfStep { version = 0 }
                failures.increment()
                let wait = waits.next() ?? backoff.limit
                logger.warning(
                    "The routing table could not be followed", metadata: ["error": "\(error)", "wait": "\(wait)"])
                do { try await Task.sleep(for: wait) } catch { return }
            }
        }
    }
}

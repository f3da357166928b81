import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import TaskOutbox

/// Watches what runs, and brings an app back when its instances are not what its rows say.
///
/// Looks at every app at start, since after a machine's restart nothing may run, then at each change the engine
/// announces, and now and then in case an announcement was lost. Apps do not wait for one another: one that is being
/// deployed, or whose processes take long to start or end, keeps no other from being looked at.
struct PodObserver: Service {
    let pool: PostgresPool
    let engine: any WorkloadEngine
    let apps: AppConverger
    let jobs: JobKeeper
    let sweep: Duration
    let logger: Logger
    private let outstanding = Outstanding()

    init(
        pool: PostgresPool, engine: any WorkloadEngine, apps: AppConverger, jobs: JobKeeper, sweep: Duration,
        logger: Logger
    ) {
        self.pool = pool
        self.engine = engine
        self.apps = apps
        self.jobs = jobs
        self.sweep = sweep
        self.logger = logger
    }

    func run() async throws {
        let wakes = BoundedChannel<Void>(limit: 1)
        _ = wakes.trySend(())
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in engine.changes().cancelOnGracefulShutdown() {
                    // A full channel already holds a wake-up.
                    _ = wakes.trySend(())
                }
                wakes.finish()
            }
            group.addTask { await tick(wakes) }
            await withDiscardingTaskGroup { looks in
                do {
                    for try await _ in wakes { await look(&looks) }
                } catch {
                    logger.error("Pod observer ended", metadata: ["error": "\(String(reflecting: error))"])
                }
                looks.cancelAll()
            }
            group.cancelAll()
        }
    }

    private func tick(_ wakes: BoundedChannel<Void>) async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: sweep * Double.random(in: 0.8...1.2))
            } catch {
                return
            }
            _ = wakes.trySend(())
        }
    }

    /// Begins to look at each app, unless a look that will see the present state is about to begin anyway.
    private func look(_ looks: inout DiscardingTaskGroup) async {
        do {
            for app in try await RunJobStore().apps(in: pool) {
                begin("run \(app)", &looks) { try await jobs.converge(app, for: .look) }
            }
            for app in try await DeployStore().appsToConverge(in: pool) {
                begin("app \(app)", &looks) { try await apps.converge(app, for: .look) }
            }
        } catch {
            logger.warning("Pods cannot be observed", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    private func begin(
        _ subject: String, _ looks: inout DiscardingTaskGroup, _ converge: @escaping @Sendable () async throws -> Void
    ) {
        guard outstanding.add(subject) else { return }
        looks.addTask {
            defer { outstanding.remove(subject) }
            do {
                try await converge()
            } catch is LeaseHeld {
                // Another worker is at it and reads the same rows.
            } catch is CancellationError {
                // The process is stopping.
            } catch {
                logger.warning(
                    "App is not what it should be",
                    metadata: ["subject": "\(subject)", "error": "\(String(reflecting: error))"])
            }
        }
    }
}

/// How many looks of each subject run or wait: one that runs may have read before a change, one that waits has not.
private final class Outstanding: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    /// - Returns: false when one runs and another waits.
    func add(_ subject: String) -> Bool {
        counts.withLock { counts in
            guard counts[subject, default: 0] < 2 else { return false }
            counts[subject, default: 0] += 1
            return true
        }
    }

    func remove(_ subject: String) {
        counts.withLock { counts in
            let left = counts[subject, default: 0] - 1
            counts[subject] = left > 0 ? left : nil
        }
    }
}

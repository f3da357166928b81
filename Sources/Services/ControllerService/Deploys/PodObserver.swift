import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import Postgres
import ServiceLifecycle
import TaskOutbox

/// Watches what runs, and brings an app back when its instances are not what its rows say.
///
/// Looks at every app at start — after a machine's restart nothing may run — then at each change the engine announces,
/// and now and then in case an announcement was lost.
struct PodObserver: Service {
    let pool: PostgresPool
    let engine: any WorkloadEngine
    let converger: AppConverger
    let sweep: Duration
    let logger: Logger

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
            do {
                for try await _ in wakes { await look() }
            } catch {
                logger.error("Pod observer ended", metadata: ["error": "\(String(reflecting: error))"])
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

    private func look() async {
        do {
            for app in try await DeployStore().appsToConverge(in: pool) { await converge(app) }
        } catch {
            logger.warning("Pods cannot be observed", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    private func converge(_ app: UUID) async {
        do {
            try await converger.converge(app)
        } catch is LeaseHeld {
            // Another worker is at it and reads the same rows.
        } catch is CancellationError {
            // The process is stopping.
        } catch {
            logger.warning(
                "App is not what it should be", metadata: ["app": "\(app)", "error": "\(String(reflecting: error))"])
        }
    }
}

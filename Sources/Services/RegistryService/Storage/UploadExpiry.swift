import FoundationEssentials
import Logging
import Metrics
import ServiceLifecycle

/// Removes uploads that nobody has continued for a while, at the start and then regularly.
struct UploadExpiry: Service {
    private let storage: any RegistryStorage
    private let age: Duration
    private let interval: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let open = Gauge(label: "registry.uploads.open")

    init(
        storage: any RegistryStorage, age: Duration, interval: Duration = .seconds(600),
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.storage = storage
        self.age = age
        self.interval = interval
        self.clock = clock
        self.logger = logger
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    await sweepAndLog()
                    try await clock.sleep(for: interval)
                }
            }
        } catch is CancellationError {
            // The process stops; what is left is removed after the next start.
        }
    }

    /// Removes what is too old at `now` and tells how many uploads that were.
    @discardableResult
    func sweep(now: Date = .now) async throws -> Int {
        let limit = now.addingTimeInterval(-Double(age.components.seconds))
        let count = try await storage.expireUploads(before: limit)
        open.record(count.open)
        return count.removed
    }

    private func sweepAndLog() async {
        do {
            let removed = try await sweep()
            if removed > 0 { logger.info("Removed abandoned uploads", metadata: ["count": "\(removed)"]) }
        } catch {
            logger.error("Abandoned uploads could not be removed", metadata: ["error": "\(error)"])
        }
    }
}

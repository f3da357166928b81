import FoundationEssentials
import Logging
import Metrics
import ObjectStorage
import ServiceLifecycle

/// Removes uploads that nobody has continued for a while, at the start and then regularly.
struct UploadExpiry: Service {
    private let storage: RegistryStorage
    private let age: Duration
    private let interval: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let open = Gauge(label: "registry.uploads.open")

    init(
        storage: RegistryStorage, age: Duration, interval: Duration = .seconds(600),
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
        let (live, expired) = try await storage.threads.run { [layout = storage.layout, files = storage.files] in
            var live = 0
            var expired: [UploadID] = []
            for name in try files.names(in: layout.uploads) {
                guard let id = UploadID(name) else { continue }
                let status = try files.status(layout.uploadData(id)) ?? files.status(layout.upload(id))
                if let status, status.modified < limit { expired.append(id) } else { live += 1 }
            }
            return (live, expired)
        }
        open.record(live)
        var removed = 0
        for id in expired where await !storage.uploads.isBusy(id) {
            try await storage.uploads.end(id)
            removed += 1
        }
        return removed
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

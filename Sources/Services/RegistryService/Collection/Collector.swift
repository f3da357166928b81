import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import Metrics
import ServiceLifecycle

/// Runs collections, one at a time, and tells what came of them.
struct Collector: Sendable {
    let storage: any RegistryStorage
    let rules: CollectionRules
    let budget: BudgetLedger
    let logger: Logger
    private let turn = KeyedQueue<Int>()
    private let metrics = CollectionMetrics()

    init(storage: any RegistryStorage, rules: CollectionRules, budget: BudgetLedger, logger: Logger) {
        self.storage = storage
        self.rules = rules
        self.budget = budget
        self.logger = logger
    }

    /// Removes what nothing needs, or with `isDryRun` tells what that would be.
    func collect(
        isDryRun: Bool, note: @escaping @Sendable (CollectedItem) -> Void = { _ in }
    ) async throws -> CollectionReport {
        try await turn.withKey(0) {
            let start = ContinuousClock.now
            do {
                let report = try await run(isDryRun: isDryRun, note: note)
                if !isDryRun { metrics.record(report, duration: ContinuousClock.now - start) }
                return report
            } catch {
                metrics.countFailure()
                throw error
            }
        }
    }

    private func run(
        isDryRun: Bool, note: @escaping @Sendable (CollectedItem) -> Void
    ) async throws -> CollectionReport {
        var expired = 0
        if !isDryRun {
            let limit = Date.now.addingTimeInterval(-rules.uploadExpiry.seconds)
            expired = try await storage.expireUploads(before: limit).removed
        }
        var report = try await storage.collect(CollectionRun(rules: rules, isDryRun: isDryRun, note: note))
        for _ in 0..<expired { report.add(.remains("an upload nobody continued")) }
        if !isDryRun { await budget.measured(total: report.usage.bytes) }
        return report
    }
}

/// Runs a collection regularly, first soon after the start.
struct RegularCollection: Service {
    private static let firstAfter = Duration.seconds(60)

    let collector: Collector
    let interval: Duration
    var clock: any Clock<Duration> = ContinuousClock()

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await clock.sleep(for: min(interval, Self.firstAfter))
                while true {
                    await collectAndLog()
                    try await clock.sleep(for: interval)
                }
            }
        } catch is CancellationError {
            // The process stops; the next one goes on.
        }
    }

    private func collectAndLog() async {
        do {
            let report = try await collector.collect(isDryRun: false)
            collector.logger.info("Collected", metadata: ["outcome": "\(report.summary)"])
        } catch is CancellationError {
            // Every step is whole by itself; the next collection finds the rest.
        } catch {
            collector.logger.error("The collection failed", metadata: ["error": "\(error)"])
        }
    }
}

/// What collections tell the operator's monitoring.
struct CollectionMetrics: Sendable {
    private let duration = Timer(label: "registry.collection.duration")
    private let freed = Counter(label: "registry.collection.freed.bytes")
    private let runs = Counter(label: "registry.collection.runs", dimensions: [("outcome", "done")])
    private let failures = Counter(label: "registry.collection.runs", dimensions: [("outcome", "failed")])
    private let ended = Gauge(label: "registry.collection.ended.seconds")

    func record(_ report: CollectionReport, duration taken: Duration) {
        duration.recordNanoseconds(Int64(taken.seconds * 1e9))
        runs.increment()
        freed.increment(by: report.freed)
        ended.record(Date.now.timeIntervalSince1970)
        for (label, count) in report.counts {
            Counter(label: "registry.collection.removed", dimensions: [("class", label)]).increment(by: count)
        }
        for (label, amount) in report.usage.classes {
            Gauge(label: "registry.storage.bytes", dimensions: [("class", label)]).record(amount.bytes)
            Gauge(label: "registry.storage.objects", dimensions: [("class", label)]).record(amount.count)
        }
    }

    func countFailure() { failures.increment() }
}

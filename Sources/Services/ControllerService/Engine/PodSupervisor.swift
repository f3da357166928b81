import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import PlatformModel
import PodmanClient
import ServiceLifecycle
import Synchronization

/// Keeps pods running that were ready once: a process that ends is started again, after growing pauses while it keeps
/// ending soon. Lets the probes of those that run be asked, for which each ``PodWatch`` has its own task.
///
/// Level-driven: on every change, and once more when a pause is over, it looks at all pods. Two supervisors of one
/// engine do no harm. Pods that never became ready belong to the deploy that started them.
final class PodSupervisor: Service {
    /// A process that ran this long has recovered; its next end is answered at once.
    static let lastingRun = Duration.seconds(600)
    /// The output of pods that are gone stays this long for the shipper.
    static let logRetention = Duration.seconds(600)

    /// How long the end of a process may stay unnoticed when podman does not tell of it.
    private static let lookPeriod = Duration.seconds(3)

    private let engine: PodmanEngine
    private let logger: Logger
    private let clock: any Clock<Duration>
    private let pause: Duration
    private let begun: Date
    private let nextDue = Mutex<Date?>(nil)
    private let watches = AsyncStream.makeStream(of: PodWatch.self)
    /// Runs of processes whose probes are asked.
    private let watched = Mutex<Set<String>>([])

    /// - Parameters:
    ///   - pause: the wait before the second start in a row; doubled up to five minutes.
    ///   - begun: a process that ended before was stopped with the platform, most likely, and is started at once.
    init(
        engine: PodmanEngine, logger: Logger, pause: Duration = .seconds(10), begun: Date = .distantPast,
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.engine = engine
        self.logger = logger
        self.pause = pause
        self.begun = begun
        self.clock = clock
    }

    func run() async throws {
        let (wakeUps, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in self.engine.changes() { wakeUp.yield() }
                }
                group.addTask { try await self.ring(wakeUp) }
                group.addTask { await self.supervise(wakeUps) }
                group.addTask { await self.carryOutWatches() }
                group.addTask { try await self.watchEnds() }
                defer { group.cancelAll() }
                do {
                    try await group.next()
                } catch is CancellationError {
                    // The process is shutting down; the pods go on without us.
                }
            }
        }
    }

    /// Wakes the supervisor when the next pod is due.
    private func ring(_ wakeUp: AsyncStream<Void>.Continuation) async throws {
        while true {
            try await clock.sleep(for: .seconds(1))
            let isDue = nextDue.withLock { due in
                guard let moment = due, moment <= .now else { return false }
                due = nil
                return true
            }
            if isDue { wakeUp.yield() }
        }
    }

    /// Looks now and then which processes run: podman tells of an end when its clean-up has run or somebody has looked,
    /// and the clean-up may come late. One call for all pods: podman compares what it lists with what runs.
    private func watchEnds() async throws {
        var known: [String: ContainerStatus] = [:]
        var suspects: Set<String> = []
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                // No event tells of an end that podman itself has not noticed.
                try await clock.sleep(for: Self.lookPeriod)
                do {
                    let containers = try await engine.containers()
                    let now = Dictionary(containers.map { ($0.name, $0.status) }) { first, _ in first }
                    if now != known { engine.announceChange() }
                    known = now
                    let orphans = engine.orphans(among: containers)
                    // One look may fall into a start or an end.
                    for container in orphans where suspects.contains(container.id) {
                        group.addTask { try await self.removeOrphan(container) }
                    }
                    suspects = Set(orphans.map(\.id)).subtracting(suspects)
                } catch let error as EngineError {
                    logger.debug("Pods cannot be looked at", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    /// Removes a pod whose monitor was killed, so that the app gets another one: nobody reads what its process writes,
    /// which fails as soon as it writes something, and podman 4.3 never learns how it ends.
    private func removeOrphan(_ container: ContainerSummary) async throws {
        guard let labels = PodLabels(container.allLabels), !engine.isLeaving(labels.pod) else { return }
        logger.warning("Removing a pod whose monitor was killed", metadata: ["pod": "\(labels.pod)"])
        do {
            try await engine.remove(labels.pod, grace: labels.gracePeriod)
            engine.announceChange()
        } catch let error as EngineError {
            logger.warning(
                "A pod without its monitor cannot be removed",
                metadata: ["pod": "\(labels.pod)", "error": "\(error)"])
        }
    }

    private func supervise(_ wakeUps: AsyncStream<Void>) async {
        for await _ in wakeUps {
            var next: Duration?
            do {
                next = try await sweep()
                try await beginWatches()
            } catch is CancellationError {
                return
            } catch {
                logger.warning("Pods cannot be supervised", metadata: ["error": "\(error)"])
                next = .seconds(5)
            }
            let moment = Date.now.addingTimeInterval((next ?? Self.logRetention) / .seconds(1))
            nextDue.withLock { $0 = moment }
        }
    }

    /// Starts what is due and returns how long to wait for the next pod that is not due yet.
    func sweep(now: Date = .now) async throws -> Duration? {
        var next: Duration?
        for pod in try await engine.endedPods() where !engine.isLeaving(pod.labels.pod) {
            guard pod.memory.wasReady else { continue }
            let due = pod.finished.addingTimeInterval(waitSeconds(before: pod))
            if due <= now {
                try await restart(pod)
            } else {
                let wait = Duration.seconds(due.timeIntervalSince(now))
                next = next.map { min($0, wait) } ?? wait
            }
        }
        try await engine.removeOldLogs(before: now.addingTimeInterval(-(Self.logRetention / .seconds(1))))
        return next
    }

    /// Begins to ask the probes of runs nobody asks yet.
    private func beginWatches() async throws {
        for pod in try await engine.runningPods() where PodWatch.isNeeded(pod.labels, pod.memory) {
            let key = Self.run(pod.labels.pod, pod.memory.restarts)
            guard watched.withLock({ $0.insert(key).inserted }) else { continue }
            watches.continuation.yield(
                PodWatch(engine: engine, labels: pod.labels, run: pod.memory.restarts, logger: logger))
        }
    }

    private static func run(_ pod: PodName, _ restarts: Int) -> String { "\(pod) \(restarts)" }

    private func carryOutWatches() async {
        await withDiscardingTaskGroup { group in
            for await watch in watches.stream {
                group.addTask {
                    do {
                        try await watch.watch()
                    } catch is CancellationError {
                        // The process is shutting down.
                    } catch {
                        self.logger.warning(
                            "The probes of a pod cannot be asked",
                            metadata: ["pod": "\(watch.labels.pod)", "error": "\(error)"])
                        let soon = Date.now.addingTimeInterval(5)
                        self.nextDue.withLock { $0 = min($0 ?? soon, soon) }
                    }
                    // What is still to be asked is found by the next look.
                    self.watched.withLock { _ = $0.remove(Self.run(watch.labels.pod, watch.run)) }
                }
            }
        }
    }

    private func waitSeconds(before pod: EndedPod) -> Double {
        guard pod.memory.shortRuns > 0, !pod.ranLong, pod.finished >= begun else { return 0 }
        let growing = (pause / .seconds(1)) * Double(1 << min(pod.memory.shortRuns - 1, 10))
        return min(growing, 300)
    }

    private func restart(_ pod: EndedPod) async throws {
        let memory = try engine.remember(pod.labels) { memory in
            memory.restarts += 1
            memory.shortRuns = pod.ranLong ? 0 : memory.shortRuns + (pod.finished < begun ? 0 : 1)
            // A process that says nothing of itself and takes no requests is ready when it runs.
            memory.isReady = pod.labels.port == nil && pod.labels.probes.readiness == nil
            memory.lastExit = .init(
                code: pod.exitCode, started: pod.started, finished: pod.finished, reason: memory.restartReason)
            memory.restartReason = nil
        }
        logger.info(
            "Starting a process again",
            metadata: ["pod": "\(pod.labels.pod)", "exit": "\(pod.exitCode)", "restarts": "\(memory.restarts)"])
        do {
            try await engine.podman.startContainer(pod.labels.pod.text)
        } catch let error as PodmanError where error.code == .notFound {
            // Removed meanwhile.
        }
    }
}

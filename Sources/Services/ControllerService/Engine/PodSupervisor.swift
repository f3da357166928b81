import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import PlatformModel
import PodmanClient
import ServiceLifecycle
import Synchronization

/// Keeps pods running that were ready once: a process that ends is started again, after growing pauses while it keeps
/// ending soon.
///
/// Level-driven: on every change, and once more when a pause is over, it looks at all pods. Two supervisors of one
/// engine do no harm. Pods that never became ready belong to the deploy that started them.
final class PodSupervisor: Service {
    /// A process that ran this long has recovered; its next end is answered at once.
    static let lastingRun = Duration.seconds(600)
    /// The output of pods that are gone stays this long for the shipper.
    static let logRetention = Duration.seconds(600)

    private let engine: PodmanEngine
    private let logger: Logger
    private let clock: any Clock<Duration>
    private let pause: Duration
    private let nextDue = Mutex<Date?>(nil)
    /// Pods started again that do not take requests yet.
    private let starting = AsyncStream.makeStream(of: PodLabels.self)

    /// - Parameter pause: the wait before the second start in a row; doubled up to five minutes.
    init(
        engine: PodmanEngine, logger: Logger, pause: Duration = .seconds(10),
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.engine = engine
        self.logger = logger
        self.pause = pause
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
                group.addTask { await self.awaitListening() }
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

    /// Pods whose start the supervisor before us has not seen through.
    private func takeOver() async throws {
        for pod in try await engine.runningPods() where pod.memory.wasReady && !pod.memory.isReady {
            starting.continuation.yield(pod.labels)
        }
    }

    private func supervise(_ wakeUps: AsyncStream<Void>) async {
        var hasTakenOver = false
        for await _ in wakeUps {
            var next: Duration?
            do {
                if !hasTakenOver { try await takeOver() }
                hasTakenOver = true
                next = try await sweep()
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

    /// A process that was started again takes requests as soon as it listens on its port.
    private func awaitListening() async {
        await withDiscardingTaskGroup { group in
            for await labels in starting.stream {
                group.addTask {
                    do {
                        try await self.engine.awaitListening(labels)
                    } catch is CancellationError {
                        // The process is shutting down.
                    } catch {
                        self.logger.warning(
                            "A process started again does not listen",
                            metadata: ["pod": "\(labels.pod)", "error": "\(error)"])
                    }
                }
            }
        }
    }

    private func waitSeconds(before pod: EndedPod) -> Double {
        guard pod.memory.shortRuns > 0, !pod.ranLong else { return 0 }
        let growing = (pause / .seconds(1)) * Double(1 << min(pod.memory.shortRuns - 1, 10))
        return min(growing, 300)
    }

    private func restart(_ pod: EndedPod) async throws {
        var memory = pod.memory
        memory.restarts += 1
        memory.shortRuns = pod.ranLong ? 0 : memory.shortRuns + 1
        memory.isReady = pod.labels.port == nil
        memory.lastExit = .init(code: pod.exitCode, started: pod.started, finished: pod.finished)
        try pod.folder.remember(memory)
        logger.info(
            "Starting a process again",
            metadata: ["pod": "\(pod.labels.pod)", "exit": "\(pod.exitCode)", "restarts": "\(memory.restarts)"])
        do {
            try await engine.podman.startContainer(pod.labels.pod.text)
            if pod.labels.port != nil { starting.continuation.yield(pod.labels) }
        } catch let error as PodmanError where error.code == .notFound {
            // Removed meanwhile.
        }
    }
}

/// A pod whose process does not run.
struct EndedPod: Sendable {
    let labels: PodLabels
    let folder: PodFolder
    let memory: PodFolder.Memory
    let exitCode: Int
    let started: Date?
    let finished: Date

    var ranLong: Bool {
        guard let started else { return false }
        return finished.timeIntervalSince(started) >= PodSupervisor.lastingRun / .seconds(1)
    }
}

extension PodmanEngine {
    /// Marks the pod as ready once it passes its readiness probe, or listens on its port; returns when its process has ended before.
    func awaitListening(_ labels: PodLabels) async throws {
        guard let port = labels.port else { return }
        let probe = labels.probes.readiness ?? Self.listening(on: port)
        let runner = ProbeRunner(http: http, podman: podman)
        for wait in Backoff(initial: .milliseconds(50), limit: .seconds(2), factor: 1.5, jitter: 0) {
            let details = try await podman.inspectContainer(labels.pod.text)
            guard details.state.status == .running else { return }
            let address = details.address(in: networkName(of: labels.app))
            let outcome = try await runner.ask(
                probe.action, pod: labels.pod, address: address, timeout: probe.timeout)
            if case .passed = outcome { return try await markReady(labels.pod) }
            try await Task.sleep(for: wait)
        }
    }

    /// Pods without a running process, also those a restart of the machine has stopped.
    func endedPods() async throws -> [EndedPod] {
        let containers = try await podman.listContainers(labels: [PodLabels.heritage])
        var ended: [EndedPod] = []
        for container in containers where container.status.hasEnded || container.status == .created {
            guard let labels = PodLabels(container.allLabels) else { continue }
            let folder = PodFolder(logDirectory: configuration.logDirectory, labels: labels)
            do {
                let state = try await podman.inspectContainer(container.id).state
                ended.append(
                    EndedPod(
                        labels: labels, folder: folder, memory: folder.memory(), exitCode: state.exitCode,
                        started: state.startedAt, finished: state.finishedAt ?? .distantPast))
            } catch let error as PodmanError where error.code == .notFound {
                // Removed while we looked.
            }
        }
        return ended
    }

    /// Pods whose process runs, with what is remembered of them.
    func runningPods() async throws -> [(labels: PodLabels, memory: PodFolder.Memory)] {
        try await podman.listContainers(labels: [PodLabels.heritage]).filter { $0.status == .running }
            .compactMap { PodLabels($0.allLabels) }
            .map { ($0, PodFolder(logDirectory: configuration.logDirectory, labels: $0).memory()) }
    }

    /// Removes the folders of pods that are gone and have written nothing since `limit`.
    func removeOldLogs(before limit: Date) async throws {
        let files = FileManager.default
        guard files.fileExists(atPath: configuration.logDirectory) else { return }
        let names = try files.contentsOfDirectory(atPath: configuration.logDirectory)
        guard !names.isEmpty else { return }
        let containers = try await podman.listContainers(labels: [PodLabels.heritage])
        let kept = containers.compactMap { PodLabels($0.allLabels) }
            .map { PodFolder(logDirectory: configuration.logDirectory, labels: $0).path }
        for name in names {
            let path = configuration.logDirectory + "/" + name
            guard !kept.contains(path), try Self.lastChange(below: path) < limit else { continue }
            try files.removeItem(atPath: path)
        }
    }

    /// When a file one or two levels below `path` was written last.
    private static func lastChange(below path: String) throws -> Date {
        var latest = Date.distantPast
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) + [""] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
            if let changed = attributes[.modificationDate] as? Date { latest = max(latest, changed) }
        }
        return latest
    }
}

import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import PodmanClient

/// Asks the probes of one pod that was ready once, for as long as the present run of its process lasts.
///
/// A process that fails its readiness probe takes no requests until it passes again; one that fails its liveness probe
/// is stopped, and the supervisor starts it again.
struct PodWatch: Sendable {
    let engine: PodmanEngine
    let labels: PodLabels
    /// How often its process was started again before: tells this run from the next.
    let run: Int
    let logger: Logger

    /// The longest wait between two questions to a process that is not ready yet.
    private static let longestWait = Duration.seconds(2)

    /// Whether there is anything to ask.
    static func isNeeded(_ labels: PodLabels, _ memory: PodFolder.Memory) -> Bool {
        guard memory.wasReady else { return false }
        return !memory.isReady || labels.probes.liveness != nil || labels.probes.readiness != nil
    }

    /// Returns when the run of the process is over or there is nothing left to ask.
    func watch() async throws {
        do {
            if let startup = labels.probes.startup, !engine.memory(of: labels).isReady {
                guard try await passes(startup) else { return }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await watchReadiness() }
                if let liveness = labels.probes.liveness {
                    group.addTask { try await watchLiveness(liveness) }
                }
                try await group.waitForAll()
            }
        } catch let error as PodmanError where error.code == .notFound {
            // Removed while it was asked.
        }
    }

    // MARK: - Probes
    //
    // Probes are questions asked at intervals (Kubernetes, "Configure Liveness, Readiness and Startup Probes"): the
    // waits below are those intervals.

    /// A process that was started again must pass its startup probe before it is asked anything else.
    private func passes(_ startup: Probe) async throws -> Bool {
        let end = ContinuousClock.now + startup.initialDelay + startup.period * startup.failureThreshold
        var seen = "no answer"
        for wait in quickly(startup) {
            switch try await ask(startup) {
            case .passed?: return true
            case .failed(let words)?: seen = words
            case nil: return false
            }
            guard ContinuousClock.now < end else { break }
            try await Task.sleep(for: wait)
        }
        try await restart("Startup probe failed: \(seen)")
        return false
    }

    private func watchReadiness() async throws {
        let probe = labels.probes.readiness ?? labels.port.map { PodmanEngine.listening(on: $0) }
        guard let probe else { return }
        var isReady = engine.memory(of: labels).isReady
        var (passed, failed) = (0, 0)
        var waits = quickly(probe).makeIterator()
        // Without a probe of its own, a process takes requests once it listens, and is not asked again.
        while !isReady || labels.probes.readiness != nil {
            try await Task.sleep(for: isReady ? probe.period : waits.next() ?? Self.longestWait)
            switch try await ask(probe) {
            case .passed?: (passed, failed) = (passed + 1, 0)
            case .failed?: (passed, failed) = (0, failed + 1)
            case nil: return
            }
            if !isReady, passed >= probe.successThreshold {
                try await engine.markReady(labels.pod)
                (isReady, failed) = (true, 0)
            } else if isReady, failed >= probe.failureThreshold {
                try engine.markUnready(labels)
                logger.info("A process takes no requests for now", metadata: ["pod": "\(labels.pod)"])
                (isReady, passed) = (false, 0)
                waits = quickly(probe).makeIterator()
            }
        }
    }

    private func watchLiveness(_ probe: Probe) async throws {
        try await Task.sleep(for: probe.initialDelay)
        var failed = 0
        while true {
            try await Task.sleep(for: probe.period)
            switch try await ask(probe) {
            case .passed?: failed = 0
            case .failed(let seen)?:
                failed += 1
                guard failed < probe.failureThreshold else {
                    return try await restart("Liveness probe failed: \(seen)")
                }
            case nil: return
            }
        }
    }

    private func quickly(_ probe: Probe) -> Backoff {
        Backoff(initial: .milliseconds(50), limit: min(probe.period, Self.longestWait), factor: 1.5, jitter: 0)
    }

    /// Asks once; nil when this run of the process is over.
    private func ask(_ probe: Probe) async throws -> ProbeRunner.Outcome? {
        let details = try await engine.podman.inspectContainer(labels.pod.text)
        guard details.state.status == .running, engine.memory(of: labels).restarts == run,
            !engine.isLeaving(labels.pod)
        else { return nil }
        return try await ProbeRunner(http: engine.http, podman: engine.podman).ask(
            probe.action, pod: labels.pod, address: details.address(in: engine.networkName(of: labels.app)),
            timeout: probe.timeout)
    }

    private func restart(_ reason: String) async throws {
        logger.info("Stopping a process that works no more", metadata: ["pod": "\(labels.pod)", "reason": "\(reason)"])
        try engine.markUnready(labels, reason: reason)
        do {
            try await engine.podman.stopContainer(labels.pod.text, grace: labels.gracePeriod)
        } catch let error as PodmanError where error.code == .wrongState {
            // It has ended by itself meanwhile.
        }
    }
}

extension PodmanEngine {
    func memory(of labels: PodLabels) -> PodFolder.Memory {
        PodFolder(logDirectory: configuration.logDirectory, labels: labels).memory()
    }

    /// Remembers that the pod takes no requests, and tells whoever watches.
    ///
    /// - Parameter reason: why its process is about to be started again, when it is.
    func markUnready(_ labels: PodLabels, reason: String? = nil) throws {
        try remember(labels) { memory in
            memory.isReady = false
            if let reason { memory.restartReason = reason }
        }
        announceChange()
    }
}

import ConcurrencyPrimitives
import FoundationEssentials
import PodmanClient

extension PodmanEngine {
    /// A process that takes no requests counts as ready when it has kept running this long.
    private static let provingTime = Duration.seconds(1)

    func awaitReady(_ pod: PodName, of workload: Workload, deadline: Duration) async throws -> String {
        try await translatingErrors {
            guard let status = try await status(of: pod) else {
                throw EngineError(.podNotFound, "The pod \(pod) is gone.")
            }
            let words = try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask { try await self.failOnExit(of: pod) }
                group.addTask { try await self.prove(status, workload, deadline) }
                defer { group.cancelAll() }
                return try await group.next() ?? ""
            }
            // Something else may answer at the address of a process that has just ended.
            let isRunning = try await podman.inspectContainer(pod.text).state.status == .running
            guard isRunning else { return try await failOnExit(of: pod) }
            try await markReady(pod)
            return words
        }
    }

    /// Remembers that the pod takes requests, and tells whoever watches.
    func markReady(_ pod: PodName) async throws {
        let details = try await podman.inspectContainer(pod.text)
        guard let labels = PodLabels(details.labels) else { return }
        try remember(labels) { memory in
            memory.wasReady = true
            memory.isReady = true
            // A restart that was begun for a failing probe, and cut off, is not needed any more.
            memory.restartReason = nil
        }
        announceChange()
    }

    /// Waits for the end of the process and throws what it looked like.
    ///
    /// Looks itself: podman's own wait does not answer before the container is cleaned up, and when that is late only
    /// after another 20 seconds (libpod, `WaitForExit`).
    private func failOnExit(of pod: PodName) async throws -> String {
        let limit = Duration.milliseconds(500)
        var waits = Backoff(initial: .milliseconds(50), limit: limit, factor: 1.5, jitter: 0).makeIterator()
        while true {
            let state = try await podman.inspectContainer(pod.text).state
            guard !state.status.hasEnded else {
                throw EngineError(
                    .unhealthy, Self.exitSentence(state.exitCode, isOutOfMemory: state.isOutOfMemory),
                    lines: try await lastLines(of: pod))
            }
            // Why it is asked again and again instead of awaited stands above.
            try await Task.sleep(for: waits.next() ?? limit)
        }
    }

    /// Podman 4.3 does not always see the kernel's out-of-memory kill, hence the hint for 137.
    static func exitSentence(_ code: Int, isOutOfMemory: Bool) -> String {
        if isOutOfMemory { return "The process ran out of memory." }
        switch code {
        case 126: return "The process exited with status 126: its command is not executable."
        case 127: return "The process exited with status 127: its command was not found."
        case 137: return "The process was killed (status 137), perhaps for using more memory than its limit."
        case 129...159: return "The process was ended by signal \(code - 128)."
        default: return "The process exited with status \(code)."
        }
    }

    private func prove(_ status: PodStatus, _ workload: Workload, _ deadline: Duration) async throws -> String {
        let end = ContinuousClock.now + deadline
        let address = try await podman.inspectContainer(status.name.text).address(in: networkName(of: workload.app))
        if let startup = workload.probes.startup {
            // A process that has not started by its own measure is given up before the deploy's time is over.
            let limit = min(deadline, startup.initialDelay + startup.period * startup.failureThreshold)
            if let seen = try await ask(startup, status, address, until: .now + limit).failure {
                throw try await unhealthy(status, workload, seen: seen, after: limit)
            }
        }
        let readiness = workload.probes.readiness ?? workload.port.map { Self.listening(on: $0) }
        guard let readiness else {
            try await Task.sleep(for: min(Self.provingTime, deadline))
            return "running"
        }
        switch try await ask(readiness, status, address, until: end) {
        case .passed(let words): return words
        case .failed(let seen): throw try await unhealthy(status, workload, seen: seen, after: deadline)
        }
    }

    /// What is asked of a process that says nothing about itself but its port.
    static func listening(on port: Int) -> Probe {
        Probe(
            action: .tcp(port: port), initialDelay: .zero, period: .seconds(1), timeout: .seconds(2),
            successThreshold: 1, failureThreshold: 1)
    }

    /// Asks until the probe has passed as often in a row as it wants, or `end` has come.
    ///
    /// Asks often at first, so that a fast start is seen at once; the probe's own period is the longest pause.
    private func ask(
        _ probe: Probe, _ status: PodStatus, _ address: String?, until end: ContinuousClock.Instant
    ) async throws -> ProbeRunner.Outcome {
        let runner = ProbeRunner(http: http, podman: podman)
        let longest = min(probe.period, .seconds(1))
        var waits = Backoff(initial: .milliseconds(20), limit: longest, factor: 1.5, jitter: 0).makeIterator()
        try await waitOut(probe.initialDelay, of: status)
        var successes = 0
        while true {
            let outcome = try await runner.ask(probe.action, pod: status.name, address: address, timeout: probe.timeout)
            if case .passed = outcome {
                successes += 1
                if successes >= probe.successThreshold { return outcome }
            } else {
                successes = 0
                guard ContinuousClock.now < end else { return outcome }
            }
            try await Task.sleep(for: waits.next() ?? longest)
        }
    }

    /// Waits until the process has run for `delay`.
    private func waitOut(_ delay: Duration, of status: PodStatus) async throws {
        guard case .running(let since) = status.phase else { return }
        let left = delay - .seconds(Date.now.timeIntervalSince(since))
        if left > .zero { try await Task.sleep(for: left) }
    }

    private func unhealthy(
        _ status: PodStatus, _ workload: Workload, seen: String, after deadline: Duration
    ) async throws -> EngineError {
        let details = try await podman.inspectContainer(status.name.text)
        let listeners = ListeningSockets(processID: details.state.processID)
        let hint = listeners.hint(expecting: workload.port).map { " \($0)" } ?? ""
        return EngineError(
            .unhealthy, "Not ready after \(deadline.spoken): \(seen).\(hint)",
            lines: try await lastLines(of: status.name))
    }

    /// The last twenty lines, oldest first.
    func lastLines(of pod: PodName) async throws -> [String] {
        var splitter = OutputLines()
        var lines: [String] = []
        for try await chunk in try await podman.logs(of: pod.text, LogSelection(tail: 20)) {
            lines += splitter.consume(chunk)
        }
        return Array((lines + splitter.finish()).suffix(20))
    }
}

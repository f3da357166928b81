import CommandRunner
import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import ServiceRuntime

/// Owns the platform's servers: starts them, notices their end, starts them again and stops them in order.
///
/// Each server has one task here, which ``stop(tier:)`` cancels and awaits.
actor Supervisor {
    private struct Entry {
        let plan: ProcessPlan
        var state: ServiceState
        var runner: Task<Void, Never>?
        var firstReady: CheckedContinuation<Void, any Error>?
        var failedStarts = 0
    }

    /// How often a server may end before it was ever ready.
    private static let startAttempts = 3

    private let state: StateDirectory
    private let probe: ReadinessProbe
    private let logger: Logger
    private var entries: [String: Entry] = [:]
    private var order: [String] = []
    private var isReady = false

    init(state: StateDirectory, probe: ReadinessProbe, logger: Logger) {
        self.state = state
        self.probe = probe
        self.logger = logger
    }

    /// Starts a server and returns once it is ready for the first time.
    ///
    /// - Throws: ``OperatorError`` when it ends again and again or is not ready within its limit.
    func start(_ plan: ProcessPlan) async throws {
        let initial = ServiceState(
            name: plan.name, phase: .starting, process: nil, restarts: 0, since: .now, address: plan.address,
            lastExit: nil)
        entries[plan.name] = Entry(plan: plan, state: initial)
        order.append(plan.name)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                entries[plan.name]?.firstReady = continuation
                entries[plan.name]?.runner = Task { await run(plan) }
            }
        } onCancel: {
            // Only wakes the waiting above; the server itself is stopped by whoever stops its tier.
            Task { await finishFirstStart(plan.name, .failure(CancellationError())) }
        }
    }

    /// Marks the whole platform as started.
    func declareReady() {
        isReady = true
        publish()
    }

    /// Stops the servers of one tier together and waits for their end.
    func stop(tier: ProcessPlan.Tier) async {
        let names = order.filter { entries[$0]?.plan.tier == tier }
        for name in names {
            update(name) { $0.phase = .stopping }
            entries[name]?.runner?.cancel()
        }
        for name in names {
            await entries[name]?.runner?.value
            update(name) { state in
                state.phase = .stopped
                state.process = nil
            }
        }
    }

    // MARK: - One server

    private func run(_ plan: ProcessPlan) async {
        var waits = Backoff(initial: .milliseconds(200), limit: .seconds(15)).makeIterator()
        while !Task.isCancelled {
            let began = ContinuousClock.now
            let exit = await runOnce(plan)
            if Task.isCancelled { break }
            await dismissHelpers(of: plan)
            if ContinuousClock.now - began > .seconds(60) {
                waits = Backoff(initial: .milliseconds(200), limit: .seconds(15)).makeIterator()
            }
            noteEnd(of: plan, exit: exit)
            do { try await Task.sleep(for: waits.next() ?? .seconds(15)) } catch { break }
        }
        finishFirstStart(plan.name, .failure(CancellationError()))
        forget(plan.name)
    }

    /// One life of the server; how it ended.
    private func runOnce(_ plan: ProcessPlan) async -> String {
        await withTaskGroup(of: String?.self) { group in
            group.addTask { [state] in
                var command = plan.command
                command.environment[Leftovers.mark] = state.root
                do {
                    return try await CommandRunner.runServer(
                        command, log: state.log(of: plan.name), stopSignal: plan.stopSignal
                    ) { process in
                        try await self.noteStart(of: plan, process: process)
                    }.description
                } catch {
                    return "\(error)"
                }
            }
            group.addTask { await self.awaitReadiness(of: plan) }
            defer { group.cancelAll() }
            for await exit in group {
                if let exit { return exit }
            }
            return "not started"
        }
    }

    /// Asks until the server is ready. Always nil: the server's end is told by the other task.
    private func awaitReadiness(of plan: ProcessPlan) async -> String? {
        let end = ContinuousClock.now + plan.startLimit
        var pause = Duration.milliseconds(25)
        while !Task.isCancelled {
            do {
                if try await probe.isReady(plan.readiness), entries[plan.name]?.state.process?.isAlive == true {
                    noteReady(plan)
                    await followUp(plan)
                    return nil
                }
                if ContinuousClock.now > end {
                    finishFirstStart(
                        plan.name, .failure(failure(of: plan, "was not ready within \(plan.startLimit)")))
                    return nil
                }
                try await Task.sleep(for: pause)
            } catch {
                return nil
            }
            pause = min(pause * 1.5, .milliseconds(250))
        }
        return nil
    }

    private func noteStart(of plan: ProcessPlan, process: ProcessIdentity) throws {
        try ProcessRecord(plan: plan, process: process).write(state.processRecord(of: plan.name))
        update(plan.name) { state in
            state.process = process
            state.since = .now
        }
    }

    private func noteReady(_ plan: ProcessPlan) {
        update(plan.name) { $0.phase = .running }
        finishFirstStart(plan.name, .success(()))
    }

    private func followUp(_ plan: ProcessPlan) async {
        do {
            guard let text = try await plan.afterStart?() else { return }
            logger.warning(
                "A server needed help after its start", metadata: ["server": "\(plan.name)", "what": "\(text)"])
        } catch is CancellationError {
            // The server is being stopped.
        } catch {
            logger.warning(
                "What follows a server's start failed", metadata: ["server": "\(plan.name)", "error": "\(error)"])
        }
    }

    /// What a killed database or broker leaves in its session would keep the next one from its port or its data.
    private func dismissHelpers(of plan: ProcessPlan) async {
        guard plan.tier == .infrastructure, !plan.leavesHelpers, let process = entries[plan.name]?.state.process else {
            return
        }
        for helper in ProcessIdentity.members(ofSession: process.pid) where helper != process {
            do {
                try await helper.stop(patience: .seconds(5))
            } catch {
                // Only the stop of this server ends the waiting; the helper is then looked for again.
                return
            }
        }
    }

    private func noteEnd(of plan: ProcessPlan, exit: String) {
        logger.error("A server ended and is started again", metadata: ["server": "\(plan.name)", "exit": "\(exit)"])
        update(plan.name) { state in
            state.phase = .restarting
            state.process = nil
            state.restarts += 1
            state.lastExit = exit
        }
        guard entries[plan.name]?.firstReady != nil else { return }
        entries[plan.name]?.failedStarts += 1
        if let failed = entries[plan.name]?.failedStarts, failed >= Self.startAttempts {
            finishFirstStart(plan.name, .failure(failure(of: plan, "ended while starting (\(exit))")))
        }
    }

    private func failure(of plan: ProcessPlan, _ what: String) -> OperatorError {
        OperatorError(
            "\(plan.name) \(what)", next: "workflow logs \(plan.name)",
            evidence: LogFile(path: state.log(of: plan.name)).lastLines(12))
    }

    private func finishFirstStart(_ name: String, _ result: Result<Void, any Error>) {
        guard let continuation = entries[name]?.firstReady else { return }
        entries[name]?.firstReady = nil
        continuation.resume(with: result)
    }

    private func forget(_ name: String) {
        do {
            try StateFile.remove(state.processRecord(of: name))
        } catch {
            logger.warning("A process record could not be removed", metadata: ["error": "\(error)"])
        }
    }

    private func update(_ name: String, _ change: (inout ServiceState) -> Void) {
        guard var entry = entries[name] else { return }
        change(&entry.state)
        entries[name] = entry
        publish()
    }

    /// Writes what `workflow status` reads.
    private func publish() {
        guard let supervisor = ProcessIdentity.current else { return }
        let services = order.compactMap { entries[$0]?.state }
        do {
            try PlatformState(supervisor: supervisor, isReady: isReady, services: services).write(to: state)
        } catch {
            logger.error("The status could not be written", metadata: ["error": "\(error)"])
        }
    }
}

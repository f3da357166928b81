import CommandRunner
import CurlTransfer
import Glibc
import Logging
import ServiceRuntime
import UnixSignals

/// The process that owns the platform: takes the lock, starts everything, waits to be told to stop, stops everything.
struct SupervisorProcess: Sendable {
    let state: StateDirectory
    let programs: ProgramDirectory
    let logger: Logger
    let progress: @Sendable (ProgressEvent) -> Void

    private static let logLimit = 16 << 20

    private enum Outcome: Sendable {
        case toldToStop
        case failed(step: String, cause: any Error)
    }

    /// - Returns: false when the platform could not be started; everything is stopped again then, but for apps that ran
    ///   before: a killed supervisor leaves them running, and a start that is refused is no reason to stop them.
    func run() async throws -> Bool {
        try state.prepare()
        guard let lock = try takeLock() else {
            progress(
                .failed(step: "lock", lines: ["another start of \(state.root) is under way", "next: workflow status"]))
            return false
        }
        defer { withExtendedLifetime(lock) {} }
        try Running.declare(in: state)
        let supervisor = Supervisor(state: state, probe: ReadinessProbe(client: try HTTPClient()), logger: logger)
        let platform = Platform(
            state: state, programs: programs, supervisor: supervisor, logger: logger, progress: progress)
        let hadApps = Leftovers(state: state).hasApps
        let outcome = await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await start(platform) }
            group.addTask { await awaitSignal() }
            group.addTask {
                await rotateLogs()
                return nil
            }
            defer { group.cancelAll() }
            for await outcome in group {
                if let outcome { return outcome }
            }
            return .toldToStop
        }
        var sparesApps = false
        if case .failed(let step, let cause) = outcome {
            sparesApps = hadApps
            let lines = (cause as? OperatorError)?.lines ?? ["\(cause)"]
            logger.error("The platform could not be started", metadata: ["step": "\(step)", "error": "\(cause)"])
            progress(.failed(step: step, lines: lines))
        }
        await stop(supervisor, sparesApps: sparesApps)
        try StateFile.remove(state.supervisorRecord)
        if case .failed = outcome { return false }
        return true
    }

    /// nil when another supervisor owns the directory.
    private func takeLock() throws -> ProcessLock? {
        do throws(ProcessLock.Refusal) {
            return try ProcessLock(path: state.lock)
        } catch {
            if case .held = error { return nil }
            throw error
        }
    }

    /// nil once everything runs: the process then waits for its signal.
    private func start(_ platform: Platform) async -> Outcome? {
        do {
            try await platform.start()
            return nil
        } catch let failed as BootSequence.Failed {
            return .failed(step: failed.step, cause: failed.cause)
        } catch is CancellationError {
            return nil
        } catch {
            return .failed(step: "preparation", cause: error)
        }
    }

    private func awaitSignal() async -> Outcome? {
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            logger.notice("Told to stop", metadata: ["signal": "\(signal)"])
            return .toldToStop
        }
        return nil
    }

    private func rotateLogs() async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: .seconds(30))
                for name in try PlatformState.read(from: state)?.services.map(\.name) ?? [] {
                    try LogFile(path: state.log(of: name)).rotate(limit: Self.logLimit)
                }
                try LogFile(path: state.log(of: "supervisor")).rotate(limit: Self.logLimit)
            } catch is CancellationError {
                return
            } catch {
                logger.warning("Logs could not be rotated", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Stops servers and apps, those others depend on last.
    private func stop(_ supervisor: Supervisor, sparesApps: Bool) async {
        await supervisor.stop(tier: .entrance)
        await supervisor.stop(tier: .service)
        if !sparesApps { await stopApps() }
        await supervisor.stop(tier: .infrastructure)
        await supervisor.stop(tier: .foundation)
        do {
            try StateFile.remove(state.status)
        } catch {
            logger.warning("The status file could not be removed", metadata: ["error": "\(error)"])
        }
        logger.notice("Stopped")
    }

    private func stopApps() async {
        let engine = ContainerEngine(state: state)
        guard engine.isPrepared else { return }
        do {
            let count = try await engine.stopContainers()
            logger.notice("Stopped the apps", metadata: ["containers": "\(count)"])
        } catch {
            logger.error("The apps could not be stopped", metadata: ["error": "\(error)"])
            return
        }
        do {
            try await engine.releaseAddresses()
        } catch {
            logger.warning("The addresses of pods stay reserved", metadata: ["error": "\(error)"])
        }
    }
}

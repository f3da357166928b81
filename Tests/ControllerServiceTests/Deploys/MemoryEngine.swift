import FoundationEssentials
import PlatformModel
import Synchronization

@testable import ControllerService

/// An engine whose instances are values: enough to prove what the worker asks for and in which order.
final class MemoryEngine: WorkloadEngine {
    private struct State {
        var pods: [PodName: PodStatus] = [:]
        var removedApps: [AppName] = []
        var sick: Set<String> = []
        var held: Set<String> = []
        var holdsRemovals = false
        var isAway = false
        var history: [String] = []
    }

    private let state = Mutex(State())
    /// Yields whenever somebody begins to wait for a held image, and ends what they wait for.
    private let arrivals = AsyncStream.makeStream(of: Void.self)
    private let gate = AsyncStream.makeStream(of: Void.self)

    /// What was asked, in order: `start web`, `remove web`.
    var history: [String] { state.withLock { $0.history } }
    var removedApps: [AppName] { state.withLock { $0.removedApps } }
    var all: [PodStatus] { state.withLock { $0.pods.values.sorted { $0.name < $1.name } } }

    /// Instances of this image never become ready.
    func makeSick(_ image: String) { state.withLock { _ = $0.sick.insert(image) } }

    /// Instances of this image become ready once ``letGo()`` was called.
    func hold(_ image: String) { state.withLock { _ = $0.held.insert(image) } }

    /// Instances end once ``letGo()`` was called, whatever their grace period.
    func holdRemovals() { state.withLock { $0.holdsRemovals = true } }

    /// Returns once somebody waits for a held instance.
    func awaitHeld() async throws {
        for await _ in arrivals.stream { return }
        throw CancellationError()
    }

    func letGo() { gate.continuation.finish() }

    private func waitAtGate() async throws {
        arrivals.continuation.yield()
        for await _ in gate.stream {}
        try Task.checkCancellation()
    }

    /// The process of an instance ends.
    func end(_ pod: PodName, code: Int) {
        state.withLock { $0.pods[pod] = $0.pods[pod]?.with(.exited(code: code, at: .now)) }
    }

    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    /// Instances vanish, as after a machine's restart.
    func loseEverything() { state.withLock { $0.pods = [:] } }

    private func check(_ state: State) throws {
        if state.isAway { throw EngineError(.unavailable, "The container engine does not answer.") }
    }

    func prepare(_ image: String, credentials: RegistryCredentials?) async throws {
        try state.withLock { try check($0) }
    }

    func start(_ workload: Workload, as pod: PodName, fence: Int) async throws -> PodStatus {
        try state.withLock { state in
            try check(state)
            let isOneOff = workload.processType == .run
            let highest =
                state.pods.values
                .filter { $0.app == workload.app && ($0.processType == .run) == isOneOff }.map(\.fence).max() ?? 0
            guard fence >= highest else { throw EngineError(.fenced, "A newer worker has taken over.") }
            if let existing = state.pods[pod] { return existing }
            let endpoint = workload.port.map { PodEndpoint(address: "10.0.0.\(state.history.count + 1)", port: $0) }
            let status = PodStatus(
                name: pod, app: workload.app, appID: workload.appID, processType: workload.processType,
                release: workload.release, image: workload.image, command: workload.command,
                arguments: workload.arguments, phase: .running(since: .now), wasReady: false,
                isReady: isOneOff, restarts: 0, lastExit: nil, endpoint: endpoint, fence: fence, created: .now)
            state.pods[pod] = status
            state.history.append("start \(workload.processType) \(workload.release)")
            return status
        }
    }

    func awaitReady(_ pod: PodName, of workload: Workload, deadline: Duration) async throws -> String {
        if state.withLock({ $0.held.contains(workload.image) }) { try await waitAtGate() }
        try state.withLock { state in
            guard !state.sick.contains(workload.image) else {
                throw EngineError(.unhealthy, "The process web exited with status 1.", lines: ["boom", "bang"])
            }
            if let known = state.pods[pod] { state.pods[pod] = known.proven }
            state.history.append("ready \(workload.processType) \(workload.release)")
        }
        return "GET / 200 in 1 ms"
    }

    func pods(of app: AppName?) async throws -> [PodStatus] {
        try state.withLock { state in
            try check(state)
            return state.pods.values.filter { app == nil || $0.app == app }.sorted { $0.created < $1.created }
        }
    }

    func remove(_ pod: PodName, grace: Duration) async throws {
        if state.withLock({ $0.holdsRemovals }) { try await waitAtGate() }
        state.withLock { state in
            guard let removed = state.pods.removeValue(forKey: pod) else { return }
            state.history.append("remove \(removed.processType) \(removed.release)")
        }
    }

    func removeApp(_ app: AppName) async throws { state.withLock { $0.removedApps.append(app) } }

    func changes() -> AsyncStream<Void> { AsyncStream { _ in } }
}

extension PodStatus {
    /// The same instance once it has passed its probe.
    var proven: PodStatus { changed(phase, wasReady: true) }

    func with(_ phase: Phase) -> PodStatus { changed(phase, wasReady: wasReady) }

    private func changed(_ phase: Phase, wasReady: Bool) -> PodStatus {
        PodStatus(
            name: name, app: app, appID: appID, processType: processType, release: release, image: image,
            command: command, arguments: arguments, phase: phase, wasReady: wasReady,
            isReady: wasReady || isReady, restarts: restarts,
            lastExit: lastExit, endpoint: endpoint, fence: fence, created: created)
    }
}

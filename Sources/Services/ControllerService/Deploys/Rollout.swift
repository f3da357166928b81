import FoundationEssentials
import Logging
import PlatformModel
import Postgres

/// Replaces the processes of some types of an app by those wanted: start new, wait until ready, switch; then, when that
/// has been told, drain and stop the old ones.
///
/// Everything is read anew and done again without harm, so that a worker that was killed in between is followed by one
/// that goes on. Until the switch nothing of what serves is touched.
struct Rollout: Sendable {
    /// One process type as it should be.
    struct Target: Sendable {
        let workload: Workload
        let count: Int
        /// Instances made before this moment are replaced.
        let madeAfter: Date?
    }

    /// What a rollout shall bring about.
    struct Order: Sendable {
        let app: App
        let targets: [Target]
        /// Process types of the app that shall not run any more.
        let obsolete: [String]
        /// Instances somebody asked to replace.
        let deletions: Set<String>
        let progress: DeployProgress
        let credentials: RegistryCredentials?
        /// Returns once a newer wish has taken this one's place; nil when none can.
        var superseded: (@Sendable () async throws -> Void)?
    }

    /// Processes that get no requests any more and are still to be stopped.
    struct Draining: Sendable {
        fileprivate let pods: [(pod: PodName, grace: Duration)]

        var isEmpty: Bool { pods.isEmpty }
    }

    /// A newer wish has taken the place of this one while its processes were waited for.
    struct Superseded: Error {}

    let pool: PostgresPool
    let engine: any WorkloadEngine
    let routes: RouteSwitch
    let fence: Int
    let readyLimit: Duration
    let logger: Logger

    /// How long the edge may take to confirm new routes before old processes are stopped regardless.
    private static let switchLimit = Duration.seconds(10)

    /// Returns once the new processes have taken over; the old ones it returns go with ``stop(_:)``.
    /// When nobody comes to that, they are found again as surplus.
    ///
    /// - Throws: ``EngineError`` when the new processes cannot be had, ``Superseded`` when they are not wanted any
    ///   more; what was started for them is gone again.
    func run(_ order: Order) async throws -> Draining {
        let (app, progress) = (order.app, order.progress)
        let present = try await engine.pods(of: app.id).filter { $0.processType != .run }
        let plans = order.targets.map { Plan(target: $0, present: present, deletions: order.deletions) }
        var start = ContinuousClock.now
        var started: [Started] = []
        do {
            started = try await startMissing(plans, credentials: order.credentials)
            if !started.isEmpty {
                try await progress.phase("start", Self.summary(plans), since: start)
                start = .now
                let report = try await awaitReady(started, unless: order.superseded)
                try await progress.phase("health", report, since: start)
            }
        } catch {
            await withdraw(started, error)
            throw error
        }
        start = .now
        let kept = plans.flatMap(\.kept).filter(\.isRunning)
        let fresh = try await status(of: started, app: app)
        let old = plans.flatMap(\.surplus) + present.filter { order.obsolete.contains($0.processType.text) }
        let alive = Set((present + fresh).map(\.name.text))
        let resting = plans.flatMap(\.kept).filter { $0.endpoint == nil }
        try await switchOver(app: app, to: kept + fresh, from: old, resting: resting, alive: alive)
        if !started.isEmpty { try await progress.phase("switch", Self.draining(old), since: start) }
        return Draining(
            pods: old.map { pod in
                let plan = plans.first { $0.target.workload.processType == pod.processType }
                return (pod.name, plan?.target.workload.gracePeriod ?? .seconds(30))
            })
    }

    private struct Started: Sendable {
        let pod: PodName
        let workload: Workload
    }

    /// What to do about one target, given what runs.
    private struct Plan: Sendable {
        let target: Target
        let kept: [PodStatus]
        /// Left by a worker that was killed before they were proven: they run, but must pass their probe yet.
        let unproven: [PodStatus]
        let surplus: [PodStatus]

        init(target: Target, present: [PodStatus], deletions: Set<String>) {
            self.target = target
            let own = present.filter { $0.processType == target.workload.processType }
            let good = own.filter { pod in
                pod.isKept && pod.release == target.workload.release && !deletions.contains(pod.name.text)
                    && target.madeAfter.map { pod.created >= $0 } ?? true
            }
            kept = Array(good.filter(\.wasReady).prefix(target.count))
            unproven = Array(good.filter { !$0.wasReady && $0.isRunning }.prefix(target.count - kept.count))
            let staying = Set((kept + unproven).map(\.name))
            surplus = own.filter { !staying.contains($0.name) }
        }

        var missing: Int { max(0, target.count - kept.count - unproven.count) }

        /// Instances that are on their way to taking requests.
        var rising: Int { missing + unproven.count }
    }

    private func startMissing(_ plans: [Plan], credentials: RegistryCredentials?) async throws -> [Started] {
        for image in Set(plans.filter { $0.missing > 0 }.map(\.target.workload.image)).sorted() {
            try await engine.prepare(image, credentials: credentials)
        }
        var started = plans.flatMap { plan in
            plan.unproven.map { Started(pod: $0.name, workload: plan.target.workload) }
        }
        for plan in plans {
            for _ in 0..<plan.missing {
                let next = Started(pod: PodName(for: plan.target.workload), workload: plan.target.workload)
                do {
                    _ = try await engine.start(next.workload, as: next.pod, fence: fence)
                } catch {
                    await withdraw(started + [next], error)
                    throw error
                }
                started.append(next)
            }
        }
        return started
    }

    private func awaitReady(
        _ started: [Started], unless superseded: (@Sendable () async throws -> Void)?
    ) async throws -> String {
        let reports = try await withThrowingTaskGroup(of: String.self) { group in
            for next in started {
                group.addTask {
                    let limit = (next.workload.startLimit ?? readyLimit) + next.workload.probes.allowance
                    return try await engine.awaitReady(next.pod, of: next.workload, deadline: limit)
                }
            }
            if let superseded {
                group.addTask {
                    try await superseded()
                    throw Superseded()
                }
            }
            defer { group.cancelAll() }
            var reports: [String] = []
            while reports.count < started.count, let report = try await group.next() { reports.append(report) }
            return reports
        }
        let words = reports.first.map { "\($0), " } ?? ""
        return "\(words)\(reports.count)/\(started.count)"
    }

    /// Takes back what was started for a rollout that failed. The failure itself is what matters to the caller.
    private func withdraw(_ started: [Started], _ cause: any Error) async {
        for next in started {
            do {
                try await engine.remove(next.pod, grace: .seconds(2))
            } catch {
                logger.warning(
                    "Failed process stays for the next convergence",
                    metadata: ["pod": "\(next.pod)", "error": "\(String(reflecting: error))"])
            }
        }
        logger.info("Rollout withdrawn", metadata: ["error": "\(String(reflecting: cause))"])
    }

    private func status(of started: [Started], app: App) async throws -> [PodStatus] {
        guard !started.isEmpty else { return [] }
        let names = Set(started.map(\.pod))
        return try await engine.pods(of: app.id).filter { names.contains($0.name) }
    }

    /// One transaction sends requests to the new processes and none to the old ones; then the edge confirms.
    private func switchOver(
        app: App, to current: [PodStatus], from old: [PodStatus], resting: [PodStatus], alive: Set<String>
    ) async throws {
        let store = EndpointStore()
        try await pool.withTransaction { transaction in
            let before = try await store.all(of: app.uuid, in: transaction)
            // Instances the engine does not know any more: lost with a machine, or removed by a killed worker.
            let gone = before.map(\.pod).filter { !alive.contains($0) }
            try await store.remove(pods: gone, in: transaction)
            // Kept processes that cannot take requests now come back by a later convergence.
            try await store.set(.draining, pods: (old + resting).map(\.name.text), in: transaction)
            for pod in current {
                guard let endpoint = pod.endpoint else { continue }
                try await store.put(
                    ProcessEndpoint(
                        pod: pod.name.text, app: app.uuid, ptype: pod.processType.text, release: pod.release.value,
                        address: endpoint.address, port: endpoint.port, state: .ready), in: transaction)
            }
        }
        guard !old.isEmpty || !current.isEmpty else { return }
        if try await !routes.awaitApplied(within: Self.switchLimit) {
            logger.warning("Router has not confirmed the new routes", metadata: ["app": "\(app.id)"])
        }
    }

    /// Stops what a rollout has replaced; each process has its own time to end.
    func stop(_ draining: Draining) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (pod, grace) in draining.pods {
                group.addTask { try await engine.remove(pod, grace: grace) }
            }
            try await group.waitForAll()
        }
        try await EndpointStore().remove(pods: draining.pods.map(\.pod.text), in: pool)
    }

    /// `web x2, worker x1`
    private static func summary(_ plans: [Plan]) -> String {
        plans.filter { $0.rising > 0 }.map { "\($0.target.workload.processType) x\($0.rising)" }
            .joined(separator: ", ")
    }

    private static func draining(_ old: [PodStatus]) -> String {
        guard let newest = old.map(\.release).max() else { return "nothing to drain" }
        return "\(newest) draining"
    }
}

import FoundationEssentials
import Logging
import PlatformModel
import Postgres
import TaskOutbox

/// Makes one app run what its rows say, whatever runs now.
///
/// Reads the whole state each time; never depends on which event woke it. One worker at a time holds the app's lease.
struct AppConverger: Sendable {
    let pool: PostgresPool
    let engine: any WorkloadEngine
    let routes: RouteSwitch
    let plans: ReleasePlans
    let turns: AppTurns
    /// How long new processes may take until they are ready.
    let readyLimit: Duration
    /// The address people reach an app at, such as `http://shop.workflow.localhost`.
    let appURL: @Sendable (AppName) -> String
    /// Who may pull the app's images.
    let credentials: @Sendable (AppName) async throws -> RegistryCredentials?
    let logger: Logger

    /// - Throws: ``LeaseHeld`` when another worker is at it; the task is tried again.
    func converge(_ app: UUID, for visit: AppTurns.Visit) async throws {
        try await turns.withTurn("app:\(app.uuidString.lowercased())", for: visit) { fence in
            if let found = try await AppStore().find(app, in: pool) {
                try await converge(found, fence: fence)
            } else {
                try await destroy(app)
            }
        }
    }

    private func converge(_ app: App, fence: Int) async throws {
        while let deployment = try await DeploymentStore().open(of: app.uuid, in: pool) {
            guard let current = try await AppStore().find(app.uuid, in: pool) else { return }
            try await deploy(deployment, of: current, fence: fence)
        }
        guard let current = try await AppStore().find(app.uuid, in: pool) else { return }
        try await reconcile(current, fence: fence)
    }

    // MARK: Deployments

    private func deploy(_ deployment: Deployment, of app: App, fence: Int) async throws {
        guard try await DeploymentStore().begin(deployment.uuid, in: pool) else { return }
        let run = try await buildRun(of: deployment)
        let progress = DeployProgress(pool: pool, run: run)
        let rollout = rollout(fence)
        let done = try await rollOut(deployment, of: app, by: rollout, progress: progress)
        // Whoever hears of the outcome finds the instances as they are now.
        try await record(app)
        guard let (structure, draining) = done else { return }
        // Told before the old processes are stopped: they may take their time, the new ones serve.
        try await succeed(deployment, app: app, structure: structure, progress: progress)
        try await stop(draining, rollout, app)
    }

    /// Brings up what the deployment wants, and says so when that fails or is not wanted any more: then nil.
    private func rollOut(
        _ deployment: Deployment, of app: App, by rollout: Rollout, progress: DeployProgress
    ) async throws -> (structure: Structure, draining: Rollout.Draining)? {
        do {
            let plan = try await plans.plan(for: deployment.release, of: app)
            let structure = app.structure.merged(with: BuildOffer(plan.build.content).ptypes)
            let targets = try targets(
                deployment.ptypes, plan: plan, structure: structure,
                stamps: try await DeployStore().restartStamps(of: app.uuid, in: pool))
            var order = Rollout.Order(
                app: app, targets: targets, obsolete: try await obsolete(app, structure),
                deletions: try await deletions(app), progress: progress, credentials: try await credentials(app.id))
            order.superseded = { try await awaitSuperseded(deployment) }
            return (structure, try await rollout.run(order))
        } catch let error as EngineError where error.code != .unavailable && error.code != .fenced {
            try await progress.lines("health", Array(error.lines.suffix(20)))
            try await crash(deployment, app: app, error.message, progress: progress)
        } catch is Rollout.Superseded {
            // Its push was told by whoever made the newer wish, which comes next.
            logger.info("Deploy superseded", metadata: ["app": "\(app.id)"])
        } catch let error as InvalidValue {
            try await crash(deployment, app: app, error.message, progress: progress)
        }
        return nil
    }

    /// Stops what was replaced and writes down what is left.
    private func stop(_ draining: Rollout.Draining, _ rollout: Rollout, _ app: App) async throws {
        guard !draining.isEmpty else { return }
        try await rollout.stop(draining)
        try await record(app)
    }

    private func record(_ app: App) async throws {
        try await PodRecorder(pool: pool, engine: engine, scope: .processes).record(app)
    }

    /// Returns when the deployment is not wanted any more.
    private func awaitSuperseded(_ deployment: Deployment) async throws {
        let subject = deployment.app.uuidString.lowercased()
        for await event in turns.notifications.listen(DeploymentStore.channel)
        where event == .resync || event == .message(payload: subject) {
            let found = try await DeploymentStore().find(deployment.uuid, in: pool)
            guard found?.state.isOpen ?? false else { return }
        }
        throw CancellationError()
    }

    private func buildRun(of deployment: Deployment) async throws -> BuildRun? {
        guard let uuid = deployment.buildRun else { return nil }
        return try await BuildRunStore().find(uuid, in: pool)
    }

    private func succeed(
        _ deployment: Deployment, app: App, structure: Structure, progress: DeployProgress
    ) async throws {
        try await pool.withTransaction { transaction in
            // A newer deployment has taken over: its outcome is the one that counts.
            guard try await DeploymentStore().finish(deployment.uuid, state: .succeed, exception: nil, in: transaction)
            else { return }
            // Scaling during the deploy wins over the counts read at its start.
            let now = try await AppStore().lock(app.uuid, in: transaction)?.structure ?? structure
            try await AppStore().setStructure(
                now.merged(with: Array(structure.counts.keys)), of: app.uuid, in: transaction)
            try await DeployStore().setLive(
                deployment.release, generation: deployment.generation, of: app.uuid, in: transaction)
            try await ReleaseStore().addDeployed(deployment.ptypes, to: deployment.release, in: transaction)
            try await ReleaseStore().record(
                .init(state: .succeed, ptypes: deployment.ptypes, created: .now), of: deployment.release,
                in: transaction)
            try await progress.end(.live, appURL(app.id), in: transaction)
        }
    }

    private func crash(
        _ deployment: Deployment, app: App, _ reason: String, progress: DeployProgress
    ) async throws {
        let serving = try await serving(app)
        try await pool.withTransaction { transaction in
            guard
                try await DeploymentStore().finish(
                    deployment.uuid, state: .crashed, exception: reason, in: transaction)
            else { return }
            try await ReleaseStore().record(
                .init(state: .crashed, ptypes: deployment.ptypes, created: .now, exception: reason),
                of: deployment.release, in: transaction)
            try await progress.end(.failed, "\(reason) \(serving)", in: transaction)
        }
        logger.warning("Deploy failed", metadata: ["app": "\(app.id)", "reason": "\(reason)"])
    }

    private func serving(_ app: App) async throws -> String {
        guard let live = app.liveRelease, let release = try await ReleaseStore().find(live, in: pool) else {
            return "Nothing was running before."
        }
        return "\(release.version) is still serving."
    }

    // MARK: Keeping what is deployed

    /// Scale changes, restarts, deleted or lost instances: brings every deployed process type to its count.
    private func reconcile(_ app: App, fence: Int) async throws {
        let deployed = try await DeployStore().deployedReleases(of: app.uuid, in: pool)
        let stamps = try await DeployStore().restartStamps(of: app.uuid, in: pool)
        let byRelease = Dictionary(grouping: app.structure.counts.keys.filter { deployed[$0] != nil }) { deployed[$0] }
        var targets: [Rollout.Target] = []
        for (release, ptypes) in byRelease {
            guard let release else { continue }
            let plan = try await plans.plan(for: release, of: app)
            targets += try self.targets(ptypes.sorted(), plan: plan, structure: app.structure, stamps: stamps)
        }
        let rollout = rollout(fence)
        let draining = try await rollout.run(
            Rollout.Order(
                app: app, targets: targets, obsolete: try await undeployed(app, targets),
                deletions: try await deletions(app), progress: DeployProgress(pool: pool, run: nil),
                credentials: try await credentials(app.id)))
        try await record(app)
        try await stop(draining, rollout, app)
    }

    private func destroy(_ app: UUID) async throws {
        guard let name = try await AppStore().destroyedName(app, in: pool) else { return }
        for pod in try await engine.pods(of: name) { try await engine.remove(pod.name, grace: .seconds(10)) }
        try await engine.removeApp(name)
        try await AppStore().finishDestruction(of: app, in: pool)
        logger.info("App removed", metadata: ["app": "\(name)"])
    }

    // MARK: Reading the rows

    private func targets(
        _ ptypes: [String], plan: WorkloadPlan, structure: Structure, stamps: [String: Date]
    ) throws -> [Rollout.Target] {
        let offered = Set(BuildOffer(plan.build.content).ptypes)
        return try ptypes.filter { offered.contains($0) }.map { ptype in
            Rollout.Target(
                workload: try plan.workload(of: ptype), count: structure[ptype], madeAfter: stamps[ptype])
        }
    }

    /// Types that run but have no place in the structure.
    private func obsolete(_ app: App, _ structure: Structure) async throws -> [String] {
        let running = Set(try await engine.pods(of: app.id).map(\.processType.text))
        return running.subtracting(structure.counts.keys).sorted()
    }

    /// Types of which nothing is deployed: what runs of them was left by a deploy that failed or was cut off.
    private func undeployed(_ app: App, _ targets: [Rollout.Target]) async throws -> [String] {
        let running = Set(try await engine.pods(of: app.id).map(\.processType.text))
        return running.subtracting(targets.map(\.workload.processType.text)).sorted()
    }

    private func deletions(_ app: App) async throws -> Set<String> {
        Set(try await ObservedPodStore().deletionRequests(of: app.uuid, in: pool))
    }

    private func rollout(_ fence: Int) -> Rollout {
        Rollout(
            pool: pool, engine: engine, routes: routes, fence: fence, readyLimit: readyLimit, logger: logger)
    }
}

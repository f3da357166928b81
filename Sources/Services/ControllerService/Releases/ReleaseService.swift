import FoundationEssentials
import PlatformModel
import Postgres

/// Makes releases out of builds, config changes and rollbacks, and asks for their deployment.
///
/// Every method runs in the caller's transaction with the app's row locked, so that changes of one app follow one
/// another and a release, its deployment and its task appear together or not at all.
struct ReleaseService: Sendable {
    let configs: ConfigStore
    let plans: LimitCatalogue
    let work: WorkQueue
    let releases = ReleaseStore()
    private let builds = BuildStore()
    private let settings = AppSettingsStore()
    private let deployments = DeploymentStore()
    private let apps = AppStore()

    init(configs: ConfigStore, plans: LimitCatalogue, work: WorkQueue) {
        self.configs = configs
        self.plans = plans
        self.work = work
    }

    /// Who asked for a change, and the push it came from.
    struct Origin: Sendable {
        let username: String
        var buildRun: UUID?
    }

    /// A release with the rows it is made of.
    struct Assembled: Sendable {
        let release: Release
        let config: Config
        let build: Build?
    }

    func assemble(_ release: Release, in executor: some SQLExecutor) async throws -> Assembled {
        guard let config = try await configs.find(release.config, in: executor) else {
            throw Refusal.notFound("Config")
        }
        var build: Build?
        if let uuid = release.build { build = try await builds.find(uuid, in: executor) }
        return Assembled(release: release, config: config, build: build)
    }

    func latestGood(of app: App, in executor: some SQLExecutor) async throws -> Assembled? {
        guard let release = try await releases.latestGood(of: app.uuid, in: executor) else { return nil }
        return try await assemble(release, in: executor)
    }

    // MARK: - New releases

    /// A release of a new build; a dryccfile brings its own environment.
    func release(build content: BuildContent, of app: App, _ origin: Origin, in transaction: Transaction) async throws
        -> Release
    {
        let base = try await latestGood(of: app, in: transaction)
        let build = try await builds.insert(content, app: app.uuid, in: transaction)
        let offer = BuildOffer(content)
        var document = base?.config.document ?? ConfigDocument()
        if offer.hasDryccfile { document = DryccfileConfig.apply(content.dryccfile, to: document) }
        AppFoundation.ensureLimits(&document, ptypes: offer.ptypes, plans: plans)
        let config = try await self.config(document, unlessSameAs: base?.config, app: app, in: transaction)
        let summary = "\(app.workspace) deployed \(content.sha.isEmpty ? content.image : String(content.sha.prefix(7)))"
        let release = try await releases.insert(
            NewRelease(app: app.uuid, config: config.uuid, build: build.uuid, summary: summary), in: transaction)
        let assembled = Assembled(release: release, config: config, build: build)
        try await deployAutomatically(assembled, app: app, origin, in: transaction)
        return release
    }

    /// A release of a changed config.
    ///
    /// - Throws: ``Refusal`` 409 when the change changes nothing.
    func release(
        config document: ConfigDocument, from base: Assembled?, of app: App, _ origin: Origin,
        in transaction: Transaction
    ) async throws -> Assembled {
        var document = document
        var build = base?.build
        AppFoundation.ensureLimits(&document, ptypes: build.map { BuildOffer($0.content).ptypes } ?? [], plans: plans)
        guard document != base?.config.document else {
            throw Refusal.conflict("\(app.workspace) changed nothing - release stopped")
        }
        if let old = build, BuildOffer(old.content).hasDryccfile {
            var content = old.content
            content.dryccfile = DryccfileConfig.rewrite(content.dryccfile, from: document)
            build = try await builds.insert(content, app: app.uuid, in: transaction)
        }
        let config = try await configs.insert(document, app: app.uuid, in: transaction)
        let summary = try await summary(config: config, build: build, base: base, app: app, in: transaction)
        let release = try await releases.insert(
            NewRelease(app: app.uuid, config: config.uuid, build: build?.uuid, summary: summary), in: transaction)
        let assembled = Assembled(release: release, config: config, build: build)
        try await deployAutomatically(assembled, app: app, origin, in: transaction)
        return assembled
    }

    /// A release with the build and config of an older one, deployed whatever autodeploy says.
    func rollBack(
        to requested: Int?, ptypes: [String], of app: App, _ origin: Origin, in transaction: Transaction
    ) async throws -> Release {
        if let unknown = ptypes.first(where: { app.structure.counts[$0] == nil }) {
            throw Refusal.invalid("process type \(unknown) is not included in procfile")
        }
        let good = try await releases.latestGood(of: app.uuid, in: transaction)
        let number = requested ?? (good.map { $0.version.value - 1 } ?? 0)
        let found = try await releases.find(version: number, of: app.uuid, in: transaction)
        let target = try RollbackRule.target(requested: requested, latestGood: good) { _ in found }
        let release = try await releases.insert(
            NewRelease(
                app: app.uuid, config: target.config, build: target.build,
                summary: ReleaseSummary.rollback(user: origin.username, to: target.version)),
            in: transaction)
        let assembled = try await assemble(release, in: transaction)
        try await deploy(assembled, ptypes: ptypes, isForced: true, app: app, origin, in: transaction)
        return release
    }

    // MARK: - Deployments

    /// Deploys the newest release, whatever its state.
    func deployNewest(
        ptypes: [String], isForced: Bool, app: App, _ origin: Origin, in transaction: Transaction
    ) async throws {
        guard let newest = try await releases.newest(of: app.uuid, in: transaction) else {
            throw Refusal.notFound("Release")
        }
        let assembled = try await assemble(newest, in: transaction)
        guard let build = assembled.build else { throw Refusal.invalid("there are no builds available for deploy") }
        let known = Set(BuildOffer(build.content).ptypes).union(app.structure.counts.keys)
        if let unknown = ptypes.first(where: { !known.contains($0) }) {
            throw Refusal.invalid("process type \(unknown) is not exists")
        }
        let wanted = try DeployScope.wanted(ptypes, of: BuildOffer(build.content))
        let busy = try await deployments.busyPtypes(of: app.uuid, in: transaction).filter(wanted.contains)
        guard isForced || busy.isEmpty else {
            let list = busy.map { "'\($0)'" }.joined(separator: ", ")
            throw Refusal.invalid("there is an executing pipeline, please wait or force deploy: [\(list)]")
        }
        try await deploy(assembled, ptypes: ptypes, isForced: isForced, app: app, origin, in: transaction)
    }

    private func deployAutomatically(
        _ assembled: Assembled, app: App, _ origin: Origin, in transaction: Transaction
    ) async throws {
        guard assembled.build != nil,
            try await settings.newest(of: app.uuid, in: transaction).settings.autodeploy
        else { return }
        try await deploy(assembled, ptypes: [], isForced: false, app: app, origin, in: transaction)
    }

    private func deploy(
        _ assembled: Assembled, ptypes asked: [String], isForced: Bool, app: App, _ origin: Origin,
        in transaction: Transaction
    ) async throws {
        guard let build = assembled.build else { throw Refusal.invalid("there are no builds available for deploy") }
        let offer = BuildOffer(build.content)
        let wanted = try DeployScope.wanted(asked, of: offer)
        try await releases.addDeployed(wanted, to: assembled.release.uuid, in: transaction)
        var ptypes = wanted
        if !isForced, try await settings.newest(of: app.uuid, in: transaction).settings.autodeploy {
            ptypes = DeployScope.changed(
                wanted, new: .init(offer: offer, config: assembled.config.document),
                old: try await previousSide(of: assembled.release, in: transaction))
        }
        try await apps.setStructure(app.structure.merged(with: offer.ptypes), of: app.uuid, in: transaction)
        let generation = try await apps.advanceGeneration(of: app.uuid, in: transaction)
        let push = try await takeOver(assembled, app: app, origin, in: transaction)
        _ = try await deployments.open(
            .init(
                app: app.uuid, release: assembled.release.uuid, generation: generation, ptypes: ptypes,
                isForced: isForced, requestedBy: origin.username, buildRun: push),
            in: transaction)
        try await work.add(.deploy(app: app.uuid), in: transaction)
    }

    /// The push the new deployment belongs to.
    ///
    /// A push whose deployment is still under way is not left without an end: when the new release runs what it built,
    /// as after a change of the config, its outcome is the new deployment's; otherwise it is superseded.
    private func takeOver(
        _ assembled: Assembled, app: App, _ origin: Origin, in transaction: Transaction
    ) async throws -> UUID? {
        var push = origin.buildRun
        for uuid in try await deployments.openBuildRuns(of: app.uuid, in: transaction) where uuid != origin.buildRun {
            guard let run = try await BuildRunStore().lock(uuid, in: transaction), run.state == .deploying else {
                continue
            }
            if push == nil, run.build == assembled.build?.uuid {
                push = uuid
            } else {
                let text = "superseded by \(assembled.release.version), made by \(origin.username)"
                try await BuildRunStore().setState(.superseded, of: uuid, reason: text, in: transaction)
                let seconds = Date.now.timeIntervalSince(run.created)
                try await BuildRunEventStore().append(
                    [.end(.superseded, text, seconds: seconds)], to: uuid, in: transaction)
            }
        }
        return push
    }

    private func previousSide(
        of release: Release, in transaction: Transaction
    ) async throws -> DeployScope.Side? {
        guard let previous = try await releases.previous(to: release.version, of: release.app, in: transaction) else {
            return nil
        }
        let assembled = try await assemble(previous, in: transaction)
        return assembled.build.map { .init(offer: BuildOffer($0.content), config: assembled.config.document) }
    }

    // MARK: - Parts

    private func config(
        _ document: ConfigDocument, unlessSameAs base: Config?, app: App, in transaction: Transaction
    ) async throws -> Config {
        if let base, base.document == document { return base }
        return try await configs.insert(document, app: app.uuid, in: transaction)
    }

    /// Compares with the last release that was deployed, or with the base when none was.
    private func summary(
        config: Config, build: Build?, base: Assembled?, app: App, in transaction: Transaction
    ) async throws -> String {
        var previous = base
        if let deployed = try await releases.previous(to: nil, of: app.uuid, in: transaction) {
            previous = try await assemble(deployed, in: transaction)
        }
        let new = Self.side(config.document, build)
        let candidates = [previous, base].compactMap { $0 }.map { Self.side($0.config.document, $0.build) }
        let texts = candidates.compactMap { ReleaseSummary.compare(workspace: app.workspace.text, new: new, old: $0) }
        return texts.first ?? "\(app.workspace) changed config"
    }

    private static func side(_ config: ConfigDocument, _ build: Build?) -> ReleaseSummary.Side {
        .init(buildID: build?.uuid.uuidString, sha: build?.sha ?? "", image: build?.image ?? "", config: config)
    }
}

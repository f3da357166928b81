import FoundationEssentials
import PlatformModel
import Postgres
import ServiceHTTP

/// Pushes and what becomes of them: opened by the builder, claimed by one builder at a time, ended by a release or a
/// reason.
struct BuildRunService: Sendable {
    let database: PostgresPool
    let releases: ReleaseService
    let work: WorkQueue
    let log: AppLog
    private let runs = BuildRunStore()
    private let events = BuildRunEventStore()
    private let apps = AppStore()

    init(database: PostgresPool, releases: ReleaseService, work: WorkQueue, log: AppLog) {
        self.database = database
        self.releases = releases
        self.work = work
        self.log = log
    }

    // MARK: - Opening

    /// Records a push and its task; the same push again answers the record there is.
    ///
    /// Older runs of the app that have not ended are superseded: the newest push wins.
    func open(_ new: BuildRunStore.New, app: App) async throws -> BuildRun {
        try await database.withTransaction { transaction in
            guard try await apps.lock(app.uuid, in: transaction) != nil else { throw Refusal.notFound("App") }
            if let known = try await runs.find(
                sha: new.sha, sourceKey: new.sourceKey, app: app.uuid, in: transaction)
            {
                return known
            }
            let run = try await runs.insert(new, in: transaction)
            for older in try await runs.openRuns(of: app.uuid, before: run.number, in: transaction) {
                try await end(
                    older, as: .superseded, "superseded by \(run.sha.prefix(8)), pushed by \(run.username)",
                    in: transaction)
            }
            try await work.add(.build(run: run.uuid), in: transaction)
            return run
        }
    }

    // MARK: - Claims

    /// What a builder's claim came to.
    enum Claim: Sendable {
        case granted(BuildRun)
        /// There is nothing left to do.
        case over(BuildRun.State)
        /// Another builder holds the claim for so many more seconds.
        case held(by: String, seconds: Int)
    }

    func claim(_ uuid: UUID, holder: String, now: Date = Date()) async throws -> Claim {
        try await database.withTransaction { transaction in
            guard let run = try await runs.lock(uuid, in: transaction) else { throw Refusal.notFound("BuildRun") }
            if run.isCancelRequested, !run.state.isTerminal {
                try await end(run, as: .cancelled, "cancelled", in: transaction)
                return .over(.cancelled)
            }
            guard run.state == .queued || run.state == .building || run.state == .publishing else {
                return .over(run.state)
            }
            if let other = run.holder, other != holder, let expires = run.leaseExpires, expires > now {
                return .held(by: other, seconds: Int(expires.timeIntervalSince(now).rounded(.up)))
            }
            let claimed = try await runs.claim(uuid, holder: holder, in: transaction)
            if claimed.fence == 1 { try await begin(claimed, in: transaction) }
            return .granted(claimed)
        }
    }

    private func begin(_ run: BuildRun, in transaction: Transaction) async throws {
        guard let app = try await apps.find(run.app, in: transaction) else { throw Refusal.notFound("App") }
        let newest = try await releases.releases.newest(of: run.app, in: transaction)
        let version = (newest?.version.value ?? 0) + 1
        let waited = (run.started ?? Date()).timeIntervalSince(run.created)
        let text =
            "\(app.id) v\(version)  \(run.sha.prefix(7))  by \(run.username)  (queue \(BuildRunText.seconds(waited)))"
        try await events.append([.header(text)], to: run.uuid, in: transaction)
    }

    /// - Throws: ``Refusal`` 409 when another claim took over or the run has ended.
    func renew(_ uuid: UUID, fence: Int) async throws -> BuildRun {
        guard let run = try await runs.renew(uuid, fence: fence, in: database) else {
            throw await fencedOff(uuid)
        }
        return run
    }

    func append(_ lines: [BuildRunEvent], to uuid: UUID, fence: Int) async throws {
        _ = try await renew(uuid, fence: fence)
        try await events.append(lines, to: uuid, in: database)
    }

    private func fencedOff(_ uuid: UUID) async -> Refusal {
        do {
            guard let run = try await runs.find(uuid, in: database) else { return .notFound("BuildRun") }
            return Refusal(.conflict, .json(["state": .string(run.state.rawValue)]))
        } catch {
            return .unavailable()
        }
    }

    // MARK: - Outcomes

    /// Makes build, release and deployment of what was built; the same result again answers the same release.
    func finish(_ uuid: UUID, fence: Int, with content: BuildContent) async throws -> Release {
        let (release, app) = try await database.withTransaction { transaction in
            guard let found = try await runs.find(uuid, in: transaction),
                let app = try await apps.lock(found.app, in: transaction),
                let run = try await runs.lock(uuid, in: transaction)
            else { throw Refusal.notFound("BuildRun") }
            if let known = run.release, let release = try await releases.releases.find(known, in: transaction) {
                return (release, app)
            }
            guard run.fence == fence, run.state == .building || run.state == .publishing else {
                throw Refusal(.conflict, .json(["state": .string(run.state.rawValue)]))
            }
            let release = try await releases.release(
                build: content, of: app, .init(username: run.username, buildRun: uuid), in: transaction)
            guard let build = release.build else { throw Refusal.notFound("Build") }
            try await runs.attach(build: build, release: release.uuid, to: uuid, in: transaction)
            try await settleIfNotDeployed(run, release: release, app: app, in: transaction)
            return (release, app)
        }
        log.write("build \(app.id) created: \(release.summary)", to: app.id)
        return release
    }

    /// With autodeploy off nothing will deploy the release: the push has done what it can.
    private func settleIfNotDeployed(
        _ run: BuildRun, release: Release, app: App, in transaction: Transaction
    ) async throws {
        let settings = try await AppSettingsStore().newest(of: app.uuid, in: transaction).settings
        guard !settings.autodeploy else { return }
        try await end(
            run, as: .live, "\(release.version) is built; autodeploy is off, run: drycc releases deploy",
            in: transaction)
    }

    func fail(_ uuid: UUID, fence: Int, phase: String, reason: String, hint: String) async throws {
        let app = try await database.withTransaction { transaction in
            guard let run = try await runs.lock(uuid, in: transaction) else { throw Refusal.notFound("BuildRun") }
            if run.state == .failed { return nil as AppName? }
            guard run.fence == fence, !run.state.isTerminal, run.state != .deploying else {
                throw Refusal(.conflict, .json(["state": .string(run.state.rawValue)]))
            }
            var lines: [BuildRunEvent] = []
            if !hint.isEmpty { lines.append(.line(phase, "hint: \(hint)")) }
            try await events.append(lines, to: uuid, in: transaction)
            let app = try await apps.find(run.app, in: transaction)
            let isCancelled = run.isCancelRequested
            let what = isCancelled ? "cancelled" : "\(phase): \(reason)"
            let serving = try await serving(app, in: transaction)
            try await end(run, as: isCancelled ? .cancelled : .failed, "\(what) \(serving)", in: transaction)
            return app?.id
        }
        if let app { log.write("build failed in \(phase): \(reason)", to: app, level: .error) }
    }

    /// What a failed build leaves in place.
    private func serving(_ app: App?, in executor: some SQLExecutor) async throws -> String {
        guard let live = app?.liveRelease, let release = try await ReleaseStore().find(live, in: executor) else {
            return "Nothing was running before."
        }
        return "\(release.version) is still serving."
    }

    /// Ends a run that has not ended yet; a queued one at once, a claimed one when its builder sees the mark.
    func cancel(_ run: BuildRun, by user: User) async throws {
        try await database.withTransaction { transaction in
            guard let run = try await runs.lock(run.uuid, in: transaction) else { throw Refusal.notFound("BuildRun") }
            switch run.state {
            case .queued: try await end(run, as: .cancelled, "cancelled by \(user.username)", in: transaction)
            case .building, .publishing: try await runs.requestCancel(run.uuid, in: transaction)
            case .deploying: throw Refusal.invalid("the build is being deployed and cannot be cancelled any more")
            case .live, .failed, .cancelled, .superseded: return
            }
        }
    }

    /// Writes the last line of a run and its state; the worker ends runs it has deployed through this.
    func end(
        _ run: BuildRun, as state: BuildRun.State, _ text: String, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        guard !run.state.isTerminal else { return }
        try await runs.setState(state, of: run.uuid, reason: text, in: executor)
        let seconds = Date().timeIntervalSince(run.created)
        try await events.append([.end(state, text, seconds: seconds)], to: run.uuid, in: executor)
    }

    // MARK: - Reading

    func find(_ uuid: UUID) async throws -> BuildRun {
        guard let run = try await runs.find(uuid, in: database) else { throw Refusal.notFound("BuildRun") }
        return run
    }

    /// Those of the given source bundles that a build still needs.
    func neededSources(among keys: [String]) async throws -> [String] {
        try await runs.neededSources(among: keys, in: database)
    }

    func find(number: Int, of app: App) async throws -> BuildRun {
        guard let run = try await runs.find(number: number, of: app.uuid, in: database) else {
            throw Refusal.notFound("BuildRun")
        }
        return run
    }

    func page(of app: App, _ page: PageRequest) async throws -> Page<BuildRun> {
        try await runs.page(of: app.uuid, page, in: database)
    }
}

/// Texts of build runs.
enum BuildRunText {
    /// `0.0s`: tenths of a second.
    static func seconds(_ value: TimeInterval) -> String {
        let tenths = Int((max(value, 0) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)s"
    }
}

import FoundationEssentials
import Logging
import PlatformModel
import Postgres

/// Runs the one-off commands of apps: starts them, writes down how they ended, and removes what is left of them when
/// their time is over.
///
/// Level-driven: reads all commands of the app and everything that runs each time. A command is started once: its pod's
/// name stands in its row before the pod is made, so a worker that follows a killed one finds what became of it. The
/// engine itself ends a command that runs too long, whether a worker is there or not.
struct JobKeeper: Sendable {
    let pool: PostgresPool
    let engine: any WorkloadEngine
    let plans: ReleasePlans
    let turns: AppTurns
    /// Who may pull the app's images.
    let credentials: @Sendable (AppName) async throws -> RegistryCredentials?
    let log: AppLog
    let logger: Logger
    private let jobs = RunJobStore()

    /// How long the engine may take to end a command whose time is over before we do.
    private static let overtime: TimeInterval = 30

    init(
        pool: PostgresPool, engine: any WorkloadEngine, plans: ReleasePlans, turns: AppTurns,
        credentials: @escaping @Sendable (AppName) async throws -> RegistryCredentials?, log: AppLog, logger: Logger
    ) {
        self.pool = pool
        self.engine = engine
        self.plans = plans
        self.turns = turns
        self.credentials = credentials
        self.log = log
        self.logger = logger
    }

    /// - Throws: ``LeaseHeld`` when another worker is at it; the task is tried again.
    func converge(_ app: UUID, for visit: AppTurns.Visit) async throws {
        try await turns.withTurn("run:\(app.uuidString.lowercased())", for: visit) { fence in
            guard let found = try await AppStore().find(app, in: pool) else { return }
            try await converge(found, fence: fence)
        }
    }

    private func converge(_ app: App, fence: Int) async throws {
        let pods = try await engine.pods(of: app.id).filter { $0.processType == .run }
        let byName = Dictionary(pods.map { ($0.name.text, $0) }) { first, _ in first }
        let unwanted = Set(try await ObservedPodStore().deletionRequests(of: app.uuid, in: pool))
        let known = try await jobs.all(of: app.uuid, in: pool)
        for job in known {
            try await Run(job: job, app: app, fence: fence).advance(
                self, byName[job.pod], isUnwanted: unwanted.contains(job.pod))
        }
        let names = Set(known.map(\.pod))
        for pod in pods where !names.contains(pod.name.text) { try await engine.remove(pod.name, grace: .zero) }
        try await PodRecorder(pool: pool, engine: engine, scope: .oneOff).record(app)
    }

    /// One command and what is done about it.
    private struct Run {
        let job: RunJob
        let app: App
        let fence: Int

        var pod: PodName { PodName(job.pod) }

        func advance(_ keeper: JobKeeper, _ status: PodStatus?, isUnwanted: Bool) async throws {
            if isUnwanted || isExpired { return try await forget(keeper) }
            guard job.finished == nil else { return }
            switch status?.phase {
            case .exited(let code, _)?: try await finish(keeper, code)
            case .running?, .stopping?, .backingOff?:
                try await keeper.jobs.begin(job.uuid, in: keeper.pool)
                try await endIfOverdue(keeper)
            case .created?, nil:
                if job.state == .pending {
                    try await start(keeper)
                } else {
                    try await finish(keeper, nil, "The command was lost with the machine it ran on.")
                }
            }
        }

        private var isExpired: Bool {
            job.finished.map { Date.now.timeIntervalSince($0) > Double(job.expires) } ?? false
        }

        private func start(_ keeper: JobKeeper) async throws {
            do {
                let workload = try await keeper.plans.plan(for: job.release, of: app).oneOff(job)
                try await keeper.engine.prepare(
                    workload.image, credentials: try await keeper.credentials(app.id))
                _ = try await keeper.engine.start(workload, as: pod, fence: fence)
                try await keeper.jobs.begin(job.uuid, in: keeper.pool)
                keeper.logger.info("Command started", metadata: ["app": "\(app.id)", "pod": "\(pod)"])
            } catch let error as EngineError where error.code != .unavailable && error.code != .fenced {
                try await keeper.engine.remove(pod, grace: .zero)
                try await finish(keeper, nil, error.message)
            } catch let error as InvalidValue {
                try await finish(keeper, nil, error.message)
            }
        }

        private func endIfOverdue(_ keeper: JobKeeper) async throws {
            guard let started = job.started,
                Date.now.timeIntervalSince(started) > Double(job.timeout) + JobKeeper.overtime
            else { return }
            try await keeper.engine.remove(pod, grace: .zero)
            try await finish(keeper, nil, overran)
        }

        private var overran: String { "The command ran longer than its \(job.timeout) s and was ended." }

        private func finish(_ keeper: JobKeeper, _ code: Int?, _ message: String = "") async throws {
            let lasted = job.started.map { Date.now.timeIntervalSince($0) } ?? 0
            let isOverdue = code.map { $0 != 0 } ?? false && lasted >= Double(job.timeout)
            let reason = isOverdue ? overran : message
            let isNew = try await keeper.jobs.finish(job.uuid, exitCode: code, message: reason, in: keeper.pool)
            guard isNew else { return }
            let outcome = [code.map { "ended with status \($0)." } ?? "failed.", reason].filter { !$0.isEmpty }
            keeper.log.write(
                "\(pod) \(outcome.joined(separator: " "))", to: app.id, level: code == 0 ? .info : .error)
        }

        /// Removes the pod with its output, then the row that names it.
        private func forget(_ keeper: JobKeeper) async throws {
            try await keeper.engine.remove(pod, grace: .zero)
            try await keeper.jobs.remove(job.uuid, in: keeper.pool)
        }
    }
}

import PlatformModel
import Postgres

/// Scales, restarts and cleans the processes of apps; the worker does what the rows then say.
struct ProcessService: Sendable {
    let database: PostgresPool
    let releases: ReleaseService
    let work: WorkQueue
    let log: AppLog
    private let apps = AppStore()
    private let pods = ObservedPodStore()

    init(database: PostgresPool, releases: ReleaseService, work: WorkQueue, log: AppLog) {
        self.database = database
        self.releases = releases
        self.work = work
        self.log = log
    }

    func scale(_ body: [String: JSONValue], _ member: AppMember) async throws {
        let counts = try await database.withTransaction { transaction in
            guard let app = try await apps.lock(member.app.uuid, in: transaction) else { throw Refusal.notFound("App") }
            guard let good = try await releases.latestGood(of: app, in: transaction), good.build != nil else {
                throw Refusal.invalid("no build available, please deploy a release")
            }
            let counts = try ProcessRule.scale(body, structure: app.structure)
            try await apps.setStructure(app.structure.scaled(by: counts), of: app.uuid, in: transaction)
            try await converge(app, in: transaction)
            return counts
        }
        log.write("\(member.user.username) scaled pods \(Structure.describe(counts))", to: member.app.id)
    }

    func restart(_ asked: [String], _ member: AppMember) async throws {
        let ptypes = try await database.withTransaction { transaction in
            guard let app = try await apps.lock(member.app.uuid, in: transaction) else { throw Refusal.notFound("App") }
            if let unknown = asked.first(where: { app.structure.counts[$0] == nil }) {
                throw Refusal.invalid("process type \(unknown) is not included in procfile")
            }
            let ptypes = (asked.isEmpty ? Array(app.structure.counts.keys) : asked).filter { app.structure[$0] > 0 }
            guard !ptypes.isEmpty else { return ptypes }
            try await apps.requestRestart(of: ptypes, app: app.uuid, in: transaction)
            try await converge(app, in: transaction)
            return ptypes
        }
        guard !ptypes.isEmpty else { return }
        log.write("\(member.user.username) restarted \(ptypes.sorted().joined(separator: " "))", to: member.app.id)
    }

    /// Forgets process types the newest release no longer has.
    func clean(_ asked: [String], _ member: AppMember) async throws {
        guard !asked.isEmpty else { throw Refusal.invalid("ptypes is a required field") }
        try await database.withTransaction { transaction in
            guard let app = try await apps.lock(member.app.uuid, in: transaction) else { throw Refusal.notFound("App") }
            if let busy = asked.first(where: { app.structure[$0] > 0 }) {
                throw Refusal.invalid("ptype \(busy) should not garbage.")
            }
            let newest = try await releases.releases.newest(of: app.uuid, in: transaction)
            let current = try await currentPtypes(newest, in: transaction)
            let counts = app.structure.counts.filter { !asked.contains($0.key) || current.contains($0.key) }
            try await apps.setStructure(Structure(counts), of: app.uuid, in: transaction)
            try await converge(app, in: transaction)
        }
    }

    /// Asks for pods to be stopped and replaced; unknown ones are ignored.
    func deletePods(_ names: [String], _ member: AppMember) async throws {
        guard !names.isEmpty else { return }
        try await database.withTransaction { transaction in
            guard let app = try await apps.lock(member.app.uuid, in: transaction) else { throw Refusal.notFound("App") }
            guard try await pods.requestDeletion(of: names, app: app.uuid, in: transaction) > 0 else { return }
            try await converge(app, in: transaction)
            let commands = try await RunJobStore().all(of: app.uuid, in: transaction)
            if let command = commands.first(where: { names.contains($0.pod) }) {
                try await work.add(.run(app: app.uuid, job: command.uuid), in: transaction)
            }
        }
    }

    func currentPtypes(_ release: Release?, in executor: some SQLExecutor) async throws -> Set<String> {
        guard let release, let build = try await releases.assemble(release, in: executor).build else { return [] }
        return Set(BuildOffer(build.content).ptypes)
    }

    private func converge(_ app: App, in transaction: Transaction) async throws {
        _ = try await apps.advanceGeneration(of: app.uuid, in: transaction)
        try await work.add(.deploy(app: app.uuid), in: transaction)
    }
}

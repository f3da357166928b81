import FoundationEssentials
import OpenSSLCrypto
import PlatformModel
import Postgres

/// Creates, transfers and destroys apps, and starts one-off commands.
struct AppService: Sendable {
    let database: PostgresPool
    let foundation: AppFoundation
    let releases: ReleaseService
    let work: WorkQueue
    let log: AppLog
    private let apps = AppStore()
    private let workspaces = WorkspaceStore()
    private let jobs = RunJobStore()

    init(
        database: PostgresPool, foundation: AppFoundation, releases: ReleaseService, work: WorkQueue, log: AppLog
    ) {
        self.database = database
        self.foundation = foundation
        self.releases = releases
        self.work = work
        self.log = log
    }

    func page(for user: User, workspace name: String?, prefix: String, _ page: PageRequest) async throws -> Page<App> {
        var workspace: UUID?
        if let name {
            guard let found = try await workspaces.find(name, for: user, in: database) else {
                throw Refusal.notFound("Workspace")
            }
            guard found.role != nil else { throw Refusal.forbidden("You are not a member of workspace '\(name)'") }
            workspace = found.workspace.uuid
        }
        return try await apps.page(for: user, workspace: workspace, prefix: prefix, page, in: database)
    }

    func create(_ name: AppName, workspace text: String, structure: Structure, by user: User) async throws -> App {
        let app = try await database.withTransaction { transaction in
            guard let found = try await workspaces.find(text, for: user, in: transaction) else {
                throw Refusal.field("workspace", "Object with id=\(text) does not exist.")
            }
            guard let role = found.role, role >= .member else { throw Refusal.forbidden() }
            let uuid = try await apps.insert(
                name, workspace: found.workspace.uuid, structure: structure, in: transaction)
            guard let app = try await apps.find(uuid, in: transaction) else { throw Refusal.notFound("App") }
            _ = try await foundation.lay(for: app, in: transaction)
            return app
        }
        log.write(ReleaseSummary.initial(workspace: app.workspace.text), to: app.id)
        return app
    }

    /// Gives the app to another workspace; the caller must be an admin of the one it is in.
    func transfer(_ member: AppMember, to text: String) async throws {
        guard member.role == .admin else {
            throw Refusal.forbidden("you must be an admin of the current workspace")
        }
        guard let target = try await workspaces.find(text, for: member.user, in: database) else {
            throw Refusal.notFound("Workspace")
        }
        try await apps.transfer(member.app.uuid, to: target.workspace.uuid, in: database)
        log.write("\(member.user.username) transferred the app to \(target.workspace.id)", to: member.app.id)
    }

    /// Removes the app's rows at once; the worker removes what runs.
    func destroy(_ member: AppMember) async throws {
        try await database.withTransaction { transaction in
            guard let app = try await apps.lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            try await apps.destroy(app, by: member.user.username, in: transaction)
            try await work.add(.destroy(app: app.uuid), in: transaction)
        }
    }

    /// A one-off command to be started.
    struct RunRequest: Sendable {
        let command: String
        let ptype: String
        let timeout: Int
        let expires: Int
    }

    /// Largest number of seconds a finished command is kept.
    static let largestExpiry = 7200

    func run(_ request: RunRequest, in member: AppMember) async throws {
        let job = try await database.withTransaction { transaction in
            guard let good = try await releases.latestGood(of: member.app, in: transaction), good.build != nil else {
                throw Refusal.invalid("no build available, please deploy a release")
            }
            let suffix = SecureRandom.text(5, from: "bcdfghjklmnpqrstvwxz2456789")
            let expires = (1...Self.largestExpiry).contains(request.expires) ? request.expires : Self.largestExpiry
            let job = RunJob(
                uuid: UUID(), app: member.app.uuid, pod: "\(member.app.id)-run-\(suffix)", release: good.release.uuid,
                ptype: request.ptype,
                arguments: request.command.split(whereSeparator: \.isWhitespace).map(String.init),
                timeout: request.timeout, expires: expires, state: .pending)
            try await jobs.insert(job, requestedBy: member.user.username, in: transaction)
            try await work.add(.run(app: member.app.uuid, job: job.uuid), in: transaction)
            return job
        }
        log.write("\(member.user.username) runs '\(request.command)' in \(job.pod)", to: member.app.id)
    }
}

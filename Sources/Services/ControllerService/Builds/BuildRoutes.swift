import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Builds: the one a release runs, and new ones from images.
struct BuildRoutes: Sendable {
    let database: PostgresPool
    let releases: ReleaseService
    let log: AppLog

    /// What the command line reads as "no build yet".
    private static let none: JSONValue = [
        "app": nil, "image": "", "stack": "", "sha": "", "procfile": nil, "dryccfile": nil, "dockerfile": "",
    ]

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/build/", .viewer) { call in
            let app = call.caller.app
            let release = try await ReleaseQuery.release(call.query("version"), of: app, releases, in: database)
            guard let build = release.build else { return try Reply.json(Self.none) }
            return try Reply.json(Self.wire(build, app))
        }
        routes.app(.post, "/v2/apps/{app}/build/", .member) { call in
            let content = try BuildRule.content(try await call.members())
            let (build, summary) = try await create(content, call.caller)
            log.write("build \(call.caller.app.id) created: \(summary)", to: call.caller.app.id)
            return try Reply.created(Self.wire(build, call.caller.app))
        }
    }

    private func create(_ content: BuildContent, _ member: AppMember) async throws -> (Build, String) {
        try await database.withTransaction { transaction in
            guard let app = try await AppStore().lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            let release = try await releases.release(
                build: content, of: app, .init(username: member.user.username), in: transaction)
            guard let build = try await releases.assemble(release, in: transaction).build else {
                throw Refusal.notFound("Build")
            }
            return (build, release.summary)
        }
    }

    static func wire(_ build: Build, _ app: App) -> JSONValue {
        [
            "app": .string(app.id.text), "image": .string(build.image), "stack": .string(build.stack),
            "sha": .string(build.sha), "procfile": JSONValue(build.procfile), "dryccfile": build.dryccfile,
            "dockerfile": .string(build.dockerfile), "created": JSONValue(build.created),
            "updated": JSONValue(build.updated), "uuid": JSONValue(build.uuid),
        ]
    }
}

/// Finds the release a `version` query parameter means.
enum ReleaseQuery {
    /// - Parameter version: a number with or without `v`; empty or absent means the latest good release.
    /// - Throws: ``Refusal`` 404 when there is no such release.
    static func release(
        _ version: String?, of app: App, _ releases: ReleaseService, in executor: some SQLExecutor
    ) async throws -> ReleaseService.Assembled {
        guard let version, !version.isEmpty else {
            guard let good = try await releases.latestGood(of: app, in: executor) else {
                throw Refusal.notFound("Release")
            }
            return good
        }
        guard let number = ReleaseText.number(version),
            let release = try await releases.releases.find(version: number, of: app.uuid, in: executor)
        else { throw Refusal.notFound("Release") }
        return try await releases.assemble(release, in: executor)
    }
}

/// Reads release numbers from paths and queries.
enum ReleaseText {
    static func number(_ text: String) -> Int? {
        do throws(InvalidValue) {
            return try ReleaseNumber(parsing: text).value
        } catch {
            // Any other text names no release.
            return nil
        }
    }
}

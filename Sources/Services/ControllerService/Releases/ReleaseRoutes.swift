import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Releases: list, read, deploy, roll back.
struct ReleaseRoutes: Sendable {
    let database: PostgresPool
    let releases: ReleaseService
    let log: AppLog

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/releases/", .viewer) { call in try await list(call) }
        routes.app(.post, "/v2/apps/{app}/releases/deploy/", .member) { call in try await deploy(call) }
        routes.app(.post, "/v2/apps/{app}/releases/rollback/", .member) { call in try await rollBack(call) }
        routes.app(.get, "/v2/apps/{app}/releases/{version}/", .viewer) { call in
            let app = call.caller.app
            guard let number = ReleaseText.number(try call.parameter("version")),
                let release = try await releases.releases.find(version: number, of: app.uuid, in: database)
            else { throw Refusal.notFound("Release") }
            return try Reply.json(Self.wire(release, app))
        }
    }

    private func list(_ call: Call<AppMember>) async throws -> Response {
        let app = call.caller.app
        let text = call.query("ptypes") ?? ""
        let page = try await releases.releases.page(
            of: app.uuid, ptypes: ProcessTypeRule.split(text.lowercased()), call.page, in: database)
        let base = "\(call.origin)/v2/apps/\(app.id)/releases/"
        let query = text.isEmpty ? [] : [("ptypes", text)]
        return try Reply.json(page.wire(call.page, base: base, query: query) { Self.wire($0, app) })
    }

    private func deploy(_ call: Call<AppMember>) async throws -> Response {
        let members = try await call.members()
        let ptypes = try ProcessRule.ptypes(members)
        var form = Form(members)
        let isForced = form.optionalFlag("force") ?? false
        try form.validated()
        let member = call.caller
        try await database.withTransaction { transaction in
            guard let app = try await AppStore().lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            try await releases.deployNewest(
                ptypes: ptypes, isForced: isForced, app: app, .init(username: member.user.username), in: transaction)
        }
        log.write("\(member.user.username) deploys \(ptypes.joined(separator: " "))", to: member.app.id)
        return Reply.noContent
    }

    private func rollBack(_ call: Call<AppMember>) async throws -> Response {
        let members = try await call.members()
        let ptypes = try ProcessRule.ptypes(members)
        let requested = try Self.version(members["version"])
        let member = call.caller
        let release = try await database.withTransaction { transaction in
            guard let app = try await AppStore().lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            return try await releases.rollBack(
                to: requested, ptypes: ptypes, of: app, .init(username: member.user.username), in: transaction)
        }
        log.write(release.summary, to: member.app.id)
        return try Reply.created(["version": .integer(release.version.value)])
    }

    private static func version(_ value: JSONValue?) throws -> Int? {
        switch value {
        case nil, .null?: return nil
        case .integer(let number)?: return number
        case .string(let text)?:
            let digits = text.hasPrefix("v") ? text.dropFirst() : text[...]
            guard let number = Int(digits) else { throw Refusal.field("version", "A valid integer is required.") }
            return number
        default: throw Refusal.field("version", "A valid integer is required.")
        }
    }

    static func wire(_ release: Release, _ app: App) -> JSONValue {
        [
            "uuid": JSONValue(release.uuid), "app": .string(app.id.text), "created": JSONValue(release.created),
            "updated": JSONValue(release.updated), "state": .string(release.state.rawValue),
            "version": .integer(release.version.value), "summary": .string(release.summary),
            "failed": .bool(release.failed), "exception": release.exception.map { .string($0) } ?? .null,
            "conditions": .array(release.conditions.map(condition)),
            "deployed_ptypes": JSONValue(release.deployedPtypes), "config": JSONValue(release.config),
            "build": JSONValue(release.build),
        ]
    }

    private static func condition(_ condition: Release.Condition) -> JSONValue {
        var members: [String: JSONValue] = [
            "state": .string(condition.state.rawValue), "action": .string(condition.action),
            "ptypes": JSONValue(condition.ptypes), "created": .string(condition.created),
        ]
        if let exception = condition.exception { members["exception"] = .string(exception) }
        return .object(members)
    }
}

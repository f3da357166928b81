import FoundationEssentials
import HTTPTypes
import Hummingbird
import PlatformModel

/// Build runs as the people of an app see them.
struct BuildRunRoutes: Sendable {
    let service: BuildRunService
    let events: BuildRunEventStream

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/build-runs/", .viewer) { call in
            let app = call.caller.app
            let page = try await service.page(of: app, call.page)
            let base = "\(call.origin)/v2/apps/\(app.id)/build-runs/"
            return try Reply.json(page.wire(call.page, base: base) { Self.wire($0, app) })
        }
        routes.app(.get, "/v2/apps/{app}/build-runs/{number}/", .viewer) { call in
            try Reply.json(Self.wire(try await run(call), call.caller.app))
        }
        routes.app(.get, "/v2/apps/{app}/build-runs/{number}/events/", .viewer) { call in
            let run = try await run(call)
            return events.response(run: run.uuid, from: max(Int(call.query("from") ?? "") ?? 0, 0))
        }
        routes.app(.post, "/v2/apps/{app}/build-runs/{number}/cancel/", .member) { call in
            try await service.cancel(try await run(call), by: call.caller.user)
            return Reply.noContent
        }
    }

    private func run(_ call: Call<AppMember>) async throws -> BuildRun {
        guard let number = Int(try call.parameter("number")), (1...Int(Int32.max)).contains(number) else {
            throw Refusal.notFound("BuildRun")
        }
        return try await service.find(number: number, of: call.caller.app)
    }

    static func wire(_ run: BuildRun, _ app: App) -> JSONValue {
        [
            "uuid": JSONValue(run.uuid), "app": .string(app.id.text), "number": .integer(run.number),
            "user": .string(run.username), "sha": .string(run.sha), "ref": .string(run.ref),
            "message": .string(run.message), "state": .string(run.state.rawValue), "build": JSONValue(run.build),
            "release": JSONValue(run.release), "reason": run.reason.map { .string($0) } ?? .null,
            "created": JSONValue(run.created), "started": run.started.map { JSONValue($0) } ?? .null,
            "finished": run.finished.map { JSONValue($0) } ?? .null,
        ]
    }
}

import FoundationEssentials
import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Process types: list, describe, scale, restart, clean.
struct ProcessTypeRoutes: Sendable {
    let database: PostgresPool
    let service: ProcessService
    let plans: LimitCatalogue
    private let pods = ObservedPodStore()

    init(database: PostgresPool, service: ProcessService, plans: LimitCatalogue) {
        self.database = database
        self.service = service
        self.plans = plans
    }

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/ptypes/", .viewer) { call in try await list(call) }
        routes.app(.get, "/v2/apps/{app}/ptypes/{name}/describe/", .viewer) { call in try await describe(call) }
        routes.app(.post, "/v2/apps/{app}/ptypes/scale/", .member) { call in
            try await service.scale(try await call.members(), call.caller)
            return Reply.noContent
        }
        routes.app(.post, "/v2/apps/{app}/ptypes/restart/", .member) { call in
            try await service.restart(try ProcessRule.ptypes(try await call.members()), call.caller)
            return Reply.noContent
        }
        routes.app(.post, "/v2/apps/{app}/ptypes/clean/", .member) { call in
            try await service.clean(try ProcessRule.ptypes(try await call.members()), call.caller)
            return Reply.noContent
        }
    }

    private func list(_ call: Call<AppMember>) async throws -> Response {
        let app = call.caller.app
        let releases = service.releases.releases
        guard let newest = try await releases.newest(of: app.uuid, in: database) else {
            throw Refusal.notFound("Release")
        }
        let current = try await service.currentPtypes(newest, in: database)
        let running = Dictionary(grouping: try await pods.all(of: app.uuid, in: database), by: \.ptype)
        let good = try await releases.latestGood(of: app.uuid, in: database) ?? newest
        let items = app.structure.counts.sorted { $0.key < $1.key }.map { ptype, wanted -> JSONValue in
            let pods = running[ptype] ?? []
            let ready = pods.count { $0.isReady }
            let release = pods.map(\.release).max() ?? good.version.value
            return [
                "name": .string(ptype), "release": .string("v\(release)"), "ready": .string("\(ready)/\(wanted)"),
                "garbage": .bool(!current.isEmpty && !current.contains(ptype)),
                "up_to_date": .integer(pods.count { $0.release == release }), "available_replicas": .integer(ready),
                "started": JSONValue(pods.map(\.started).max() ?? app.updated),
            ]
        }
        return try Reply.json(PodRoutes.everything(items))
    }

    private func describe(_ call: Call<AppMember>) async throws -> Response {
        let app = call.caller.app
        let ptype = PodRoutes.ptype(try call.parameter("name"), of: app)
        guard app.structure.counts[ptype] != nil,
            let good = try await service.releases.latestGood(of: app, in: database), let build = good.build
        else { throw Refusal.invalid("this procfile type not found") }
        let config = good.config.document
        let launch = BuildOffer(build.content).launch(of: ptype)
        let plan = plans.plan(config.limits[ptype] ?? plans.defaultPlan)
        let probes = config.healthcheck[ptype] ?? [:]
        return try Reply.json(
            PodRoutes.everything([
                [
                    "container": .string("\(app.id)-\(ptype)"), "image": .string(launch.image),
                    "command": JSONValue(launch.command), "args": JSONValue(launch.arguments),
                    "liveness_probe": probes["livenessProbe"] ?? [:],
                    "readiness_probe": probes["readinessProbe"] ?? [:],
                    "startup_probe": probes["startupProbe"] ?? [:],
                    "limits": plan.map { ["cpu": .string("\($0.cpu)"), "memory": .string("\($0.memory)Gi")] } ?? [:],
                    "volume_mounts": [], "node_selector": JSONValue(config.tags[ptype] ?? [:]),
                ]
            ]))
    }
}

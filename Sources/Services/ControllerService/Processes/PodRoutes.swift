import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// What runs: pods and events, read from what the worker observed.
struct PodRoutes: Sendable {
    let database: PostgresPool
    let service: ProcessService
    private let pods = ObservedPodStore()
    private let events = AppEventStore()

    init(database: PostgresPool, service: ProcessService) {
        self.database = database
        self.service = service
    }

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/pods/", .viewer) { call in
            let all = try await pods.all(of: call.caller.app.uuid, in: database)
            return try Reply.json(Self.everything(all.map(Self.wire)))
        }
        routes.app(.delete, "/v2/apps/{app}/pods/", .admin) { call in
            let members = try await call.members()
            guard let names = members["pod_ids"]?.stringValue else {
                throw Refusal.invalid("pod_ids is a required field")
            }
            try await service.deletePods(ProcessTypeRule.split(names), call.caller)
            return Response(status: .ok)
        }
        routes.app(.get, "/v2/apps/{app}/pods/{pod}/describe/", .viewer) { call in
            let pod = try await pods.find(try call.parameter("pod"), of: call.caller.app.uuid, in: database)
            guard let pod else { throw Refusal.invalid("this process not found") }
            return try Reply.json(Self.everything([Self.description(pod)]))
        }
        routes.app(.get, "/v2/apps/{app}/events/", .viewer) { call in try await events(call) }
    }

    /// Lists that are never cut: everything, whatever the limit.
    static func everything(_ items: [JSONValue]) -> JSONValue {
        ["results": .array(items), "count": .integer(items.count)]
    }

    private func events(_ call: Call<AppMember>) async throws -> Response {
        let app = call.caller.app
        var found: [AppEvent] = []
        if let pod = call.query("pod_name"), !pod.isEmpty {
            found = try await events.ofPod(pod, app: app.uuid, in: database)
        } else if let ptype = call.query("ptype"), !ptype.isEmpty {
            // The command line sends the deployment's name, `<app>-<ptype>`.
            found = try await events.ofPtype(Self.ptype(ptype, of: app), app: app.uuid, in: database)
        }
        return try Reply.json(
            Self.everything(
                found.map { event in
                    [
                        "reason": .string(event.reason), "message": .string(event.message),
                        "created": JSONValue(event.created),
                    ]
                }))
    }

    static func ptype(_ name: String, of app: App) -> String {
        let prefix = "\(app.id)-"
        return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }

    private static func wire(_ pod: ObservedPod) -> JSONValue {
        [
            "name": .string(pod.name), "state": .string(pod.state), "release": .string("v\(pod.release)"),
            "type": .string(pod.ptype), "started": JSONValue(pod.started),
            "ready": .string(pod.isReady ? "1/1" : "0/1"), "restarts": .integer(pod.restarts),
        ]
    }

    private static func description(_ pod: ObservedPod) -> JSONValue {
        [
            "container": .string(pod.container), "image": .string(pod.image), "command": JSONValue(pod.command),
            "args": JSONValue(pod.arguments), "state": pod.containerState, "lastState": pod.lastState,
            "ready": .bool(pod.isReady), "restartCount": .integer(pod.restarts),
            "status": .string(Self.phase(pod.state)), "reason": .string(pod.reason), "message": .string(pod.message),
        ]
    }

    private static func phase(_ state: String) -> String {
        switch state {
        case "up", "starting", "terminating", "error": "Running"
        case "down": "Succeeded"
        case "crashed": "Failed"
        default: "Pending"
        }
    }
}

import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Services of apps. The list is the odd one out: `services` instead of `results`, and no count.
struct ServicePortRoutes: Sendable {
    let database: PostgresPool
    private let store = ServicePortStore()

    init(database: PostgresPool) { self.database = database }

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/services/", .viewer) { call in
            let app = call.caller.app
            let services = try await store.all(of: app.uuid, in: database).map { Self.wire($0, app) }
            return try Reply.json(["services": .array(services)])
        }
        routes.app(.post, "/v2/apps/{app}/services/", .member) { call in
            let members = try await call.members()
            let ptype = try Self.ptype(members)
            let port = ServicePort(
                port: try Self.port(members["port"]), protocol: try Self.transport(members["protocol"]),
                targetPort: try Self.port(members["target_port"], "target_port"))
            let isFirst = try await add(port, ptype, call.caller)
            return Response(status: isFirst ? .created : .noContent)
        }
        routes.app(.delete, "/v2/apps/{app}/services/", .admin) { call in
            let members = try await call.members()
            let ptype = try Self.ptype(members)
            try await remove(
                port: try Self.port(members["port"]), try Self.transport(members["protocol"]), ptype, call.caller)
            return Reply.noContent
        }
    }

    private func add(_ port: ServicePort, _ ptype: String, _ member: AppMember) async throws -> Bool {
        try await database.withTransaction { transaction in
            guard try await AppStore().lock(member.app.uuid, in: transaction) != nil else {
                throw Refusal.notFound("App")
            }
            let old = try await store.lock(ptype, of: member.app.uuid, in: transaction)
            guard !(old?.ports ?? []).contains(where: { $0.port == port.port }) else {
                throw Refusal.invalid("port is occupied")
            }
            try await store.put(
                PtypeService(ptype: ptype, ports: (old?.ports ?? []) + [port]), of: member.app.uuid, in: transaction)
            return old == nil
        }
    }

    private func remove(port: Int, _ transport: String, _ ptype: String, _ member: AppMember) async throws {
        try await database.withTransaction { transaction in
            guard let old = try await store.lock(ptype, of: member.app.uuid, in: transaction) else {
                throw Refusal.notFound("Service")
            }
            let kept = old.ports.filter { $0.port != port || $0.`protocol` != transport }
            try await store.put(PtypeService(ptype: ptype, ports: kept), of: member.app.uuid, in: transaction)
        }
    }

    private static func ptype(_ members: [String: JSONValue]) throws(Refusal) -> String {
        let ptype = members["ptype"]?.stringValue ?? ""
        if let problem = ProcessTypeRule.problem(with: ptype) { throw .list(problem) }
        return ptype
    }

    private static func port(_ value: JSONValue?, _ name: String = "port") throws(Refusal) -> Int {
        guard let port = value?.looseInteger else { throw .list("\(name) can only be a numeric value") }
        guard (1...65_535).contains(port) else { throw .list("\(name) needs to be between 1 and 65535") }
        return port
    }

    private static func transport(_ value: JSONValue?) throws(Refusal) -> String {
        let text = value?.stringValue ?? ""
        guard !text.isEmpty else { return "TCP" }
        guard ["TCP", "UDP", "SCTP"].contains(text) else {
            throw .list("the service protocol only supports: ^(TCP|UDP|SCTP)$")
        }
        return text
    }

    private static func wire(_ service: PtypeService, _ app: App) -> JSONValue {
        let name = service.ptype == "web" ? app.id.text : "\(app.id)-\(service.ptype)"
        let ports = service.ports.map { port -> JSONValue in
            [
                "name": .string(port.name), "port": .integer(port.port), "protocol": .string(port.`protocol`),
                "targetPort": .integer(port.targetPort),
            ]
        }
        return [
            "name": .string(name), "domain": .string("\(name).\(app.id).svc"), "ptype": .string(service.ptype),
            "ports": .array(ports),
        ]
    }
}

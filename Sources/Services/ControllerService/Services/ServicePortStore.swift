import FoundationEssentials
import PlatformModel
import Postgres

/// A port other processes of the app reach a process type on.
struct ServicePort: Codable, Sendable, Equatable {
    let name: String
    let port: Int
    let `protocol`: String
    let targetPort: Int

    init(port: Int, protocol: String, targetPort: Int) {
        name = "\(`protocol`.lowercased())-\(port)"
        self.port = port
        self.`protocol` = `protocol`
        self.targetPort = targetPort
    }
}

/// The ports of one process type.
struct PtypeService: Sendable, Equatable {
    let ptype: String
    let ports: [ServicePort]
}

/// Services of apps: one per process type, with a list of ports.
struct ServicePortStore: Sendable {
    /// Newest first.
    func all(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [PtypeService] {
        try await executor.query(
            "SELECT ptype, ports FROM app_services WHERE app = \(app) ORDER BY created DESC, ptype"
        ).map { (row) throws(PostgresError) in
            PtypeService(ptype: try row.decode("ptype"), ports: try row.decode(json: "ports"))
        }
    }

    func lock(
        _ ptype: String, of app: UUID, in transaction: some SQLExecutor
    ) async throws(PostgresError) -> PtypeService? {
        let rows = try await transaction.query(
            "SELECT ptype, ports FROM app_services WHERE app = \(app) AND ptype = \(ptype) FOR UPDATE")
        guard let row = rows.first else { return nil }
        return PtypeService(ptype: try row.decode("ptype"), ports: try row.decode(json: "ports"))
    }

    func put(_ service: PtypeService, of app: UUID, in transaction: some SQLExecutor) async throws(PostgresError) {
        guard !service.ports.isEmpty else {
            try await transaction.execute("DELETE FROM app_services WHERE app = \(app) AND ptype = \(service.ptype)")
            return
        }
        try await transaction.execute(
            """
            INSERT INTO app_services (app, ptype, ports) VALUES (\(app), \(service.ptype), \(json: service.ports))
            ON CONFLICT (app, ptype) DO UPDATE SET ports = excluded.ports, updated = now()
            """)
    }
}

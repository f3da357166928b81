import FoundationEssentials
import PlatformModel
import Postgres

/// Where one process of an app can be reached.
struct ProcessEndpoint: Sendable, Equatable {
    enum State: String, Sendable, PostgresDecodable, PostgresEncodable {
        /// Not healthy yet; gets no traffic.
        case starting
        case ready
        /// On its way out; gets no new traffic.
        case draining
    }

    let pod: String
    let app: UUID
    let ptype: String
    let release: Int
    let address: String
    let port: Int
    let state: State

    init(
        pod: String, app: UUID, ptype: String, release: Int, address: String, port: Int, state: State
    ) {
        self.pod = pod
        self.app = app
        self.ptype = ptype
        self.release = release
        self.address = address
        self.port = port
        self.state = state
    }
}

/// Endpoints as the worker reports them; every change announces a new routing table.
struct EndpointStore: Sendable {
    init() {}

    func all(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [ProcessEndpoint] {
        let rows = try await executor.query(
            """
            SELECT pod, app, ptype, release, address, port, state FROM endpoints WHERE app = \(app) ORDER BY pod, port
            """)
        return try rows.map { (row) throws(PostgresError) in
            ProcessEndpoint(
                pod: try row.decode("pod"), app: try row.decode("app"), ptype: try row.decode("ptype"),
                release: try row.decode("release"), address: try row.decode("address"), port: try row.decode("port"),
                state: try row.decode("state"))
        }
    }

    func put(_ endpoint: ProcessEndpoint, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            """
            INSERT INTO endpoints (pod, port, app, ptype, release, address, state)
            VALUES (\(endpoint.pod), \(endpoint.port), \(endpoint.app), \(endpoint.ptype), \(endpoint.release),
                \(endpoint.address), \(endpoint.state))
            ON CONFLICT (pod, port) DO UPDATE SET address = excluded.address, state = excluded.state, updated = now()
            """)
    }

    /// Moves all endpoints of the pods to a state in one statement, so that the edge switches once.
    func set(
        _ state: ProcessEndpoint.State, pods: [String], in executor: some SQLExecutor
    ) async throws(PostgresError) {
        try await executor.execute(
            "UPDATE endpoints SET state = \(state), updated = now() WHERE pod = ANY(\(pods)::text[])")
    }

    func remove(pods: [String], in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM endpoints WHERE pod = ANY(\(pods)::text[])")
    }
}

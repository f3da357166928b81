import FoundationEssentials
import PlatformModel
import Postgres

/// One process instance as the engine showed it last.
struct ObservedPod: Sendable, Equatable {
    var name: String
    var app: UUID
    var ptype: String
    var release: Int
    /// The word shown to users: `initializing`, `creating`, `starting`, `up`,
    /// `terminating`, `down`, `crashed`, `error`.
    var state: String
    var isReady: Bool
    var restarts: Int
    var container: String
    var image: String
    var command: [String]
    var arguments: [String]
    /// `{"running": {"startedAt": …}}` and its like.
    var containerState: JSONValue
    var lastState: JSONValue
    var reason: String
    var message: String
    var started: Date

    init(name: String, app: UUID, ptype: String, release: Int, state: String, container: String, image: String) {
        self.name = name
        self.app = app
        self.ptype = ptype
        self.release = release
        self.state = state
        self.container = container
        self.image = image
        isReady = false
        restarts = 0
        command = []
        arguments = []
        containerState = [:]
        lastState = [:]
        reason = ""
        message = ""
        started = Date()
    }
}

/// The pods of apps as the worker observed them.
struct ObservedPodStore: Sendable {
    init() {}

    private static let columns: SQL = """
        name, app, ptype, release, state, ready, restarts, container, image, command, args, container_state, last_state,
        reason, message, started
        """

    private static func pod(_ row: Row) throws(PostgresError) -> ObservedPod {
        var pod = ObservedPod(
            name: try row.decode("name"), app: try row.decode("app"), ptype: try row.decode("ptype"),
            release: try row.decode("release"), state: try row.decode("state"), container: try row.decode("container"),
            image: try row.decode("image"))
        pod.isReady = try row.decode("ready")
        pod.restarts = try row.decode("restarts")
        pod.command = try row.decode("command")
        pod.arguments = try row.decode("args")
        pod.containerState = try row.decode("container_state")
        pod.lastState = try row.decode("last_state")
        pod.reason = try row.decode("reason")
        pod.message = try row.decode("message")
        pod.started = try row.decode("started")
        return pod
    }

    /// Newest start first.
    func all(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [ObservedPod] {
        try await executor.query(
            "SELECT \(sql: Self.columns) FROM observed_pods WHERE app = \(app) ORDER BY started DESC, name"
        ).map(Self.pod)
    }

    func find(
        _ name: String, of app: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> ObservedPod? {
        let rows = try await executor.query(
            "SELECT \(sql: Self.columns) FROM observed_pods WHERE app = \(app) AND name = \(name)")
        guard let row = rows.first else { return nil }
        return try Self.pod(row)
    }

    func put(_ pod: ObservedPod, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            """
            INSERT INTO observed_pods (\(sql: Self.columns))
            VALUES (\(pod.name), \(pod.app), \(pod.ptype), \(pod.release), \(pod.state), \(pod.isReady),
                \(pod.restarts), \(pod.container), \(pod.image), \(pod.command), \(pod.arguments),
                \(json: pod.containerState), \(json: pod.lastState), \(pod.reason), \(pod.message), \(pod.started))
            ON CONFLICT (name) DO UPDATE SET state = excluded.state, ready = excluded.ready,
                restarts = excluded.restarts, image = excluded.image, container_state = excluded.container_state,
                last_state = excluded.last_state, reason = excluded.reason, message = excluded.message,
                started = excluded.started, updated = now()
            """)
    }

    func remove(_ names: [String], in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM observed_pods WHERE name = ANY(\(names)::text[])")
    }

    /// Notes that these pods shall be stopped and replaced; names of other apps' pods are ignored.
    ///
    /// - Returns: how many of them the app has.
    func requestDeletion(
        of names: [String], app: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Int {
        try await executor.execute(
            """
            UPDATE observed_pods SET delete_requested = true, state = 'terminating', updated = now()
            WHERE app = \(app) AND name = ANY(\(names)::text[])
            """)
    }

    /// Pods somebody asked to delete.
    func deletionRequests(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [String] {
        try await executor.query(
            "SELECT name FROM observed_pods WHERE app = \(app) AND delete_requested ORDER BY name"
        ).map { (row) throws(PostgresError) in try row.decode("name") }
    }
}

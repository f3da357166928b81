import FoundationEssentials
import PlatformModel
import Postgres

/// Something that happened to a pod or process type, as `ps describe` shows it.
struct AppEvent: Sendable {
    let reason: String
    let message: String
    let created: Date
}

/// Events of apps, oldest first; the newest thousand of an app are kept.
struct AppEventStore: Sendable {
    static let kept = 1000

    init() {}

    func add(
        app: UUID, ptype: String, pod: String?, reason: String, message: String, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        try await executor.execute(
            """
            INSERT INTO app_events (app, ptype, pod, reason, message)
            VALUES (\(app), \(ptype), \(pod), \(reason), \(message))
            """)
        try await executor.execute(
            """
            DELETE FROM app_events WHERE app = \(app) AND id <= (
                SELECT id FROM app_events WHERE app = \(app) ORDER BY id DESC OFFSET \(Self.kept) LIMIT 1)
            """)
    }

    func ofPod(_ pod: String, app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [AppEvent] {
        try await executor.query(
            "SELECT reason, message, created FROM app_events WHERE app = \(app) AND pod = \(pod) ORDER BY id"
        ).map(Self.event)
    }

    func ofPtype(_ ptype: String, app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [AppEvent] {
        try await executor.query(
            """
            SELECT reason, message, created FROM app_events
            WHERE app = \(app) AND ptype = \(ptype) AND pod IS NULL ORDER BY id
            """
        ).map(Self.event)
    }

    private static func event(_ row: Row) throws(PostgresError) -> AppEvent {
        AppEvent(
            reason: try row.decode("reason"), message: try row.decode("message"), created: try row.decode("created"))
    }
}

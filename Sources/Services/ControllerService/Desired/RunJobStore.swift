import FoundationEssentials
import PlatformModel
import Postgres

/// A one-off command of an app.
struct RunJob: Sendable, Equatable {
    enum State: String, Sendable, PostgresDecodable, PostgresEncodable {
        case pending, running, down, crashed
    }

    let uuid: UUID
    let app: UUID
    /// The name under which its output is read.
    let pod: String
    let release: UUID
    let ptype: String
    let arguments: [String]
    /// Seconds it may run.
    let timeout: Int
    /// Seconds it is kept once finished.
    let expires: Int
    let state: State
    var started: Date?
    var finished: Date?
    /// Nil until it has ended, and when nobody knows.
    var exitCode: Int?
    /// Why it ended, in a sentence; empty when the exit code tells all.
    var message = ""
}

/// One-off commands; the worker runs and removes them.
struct RunJobStore: Sendable {
    init() {}

    private static let columns: SQL = """
        uuid, app, pod, release, ptype, args, timeout_seconds, expires_seconds, state, started, finished, exit_code,
        message
        """

    private static func job(_ row: Row) throws(PostgresError) -> RunJob {
        RunJob(
            uuid: try row.decode("uuid"), app: try row.decode("app"), pod: try row.decode("pod"),
            release: try row.decode("release"), ptype: try row.decode("ptype"), arguments: try row.decode("args"),
            timeout: try row.decode("timeout_seconds"), expires: try row.decode("expires_seconds"),
            state: try row.decode("state"), started: try row.decode("started"), finished: try row.decode("finished"),
            exitCode: try row.decode("exit_code"), message: try row.decode("message"))
    }

    /// Commands waiting or running, and finished ones that are still kept.
    func all(of app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [RunJob] {
        try await executor.query("SELECT \(sql: Self.columns) FROM run_jobs WHERE app = \(app) ORDER BY created")
            .map(Self.job)
    }

    /// Apps that have commands, also finished ones that are still kept.
    func apps(in executor: some SQLExecutor) async throws(PostgresError) -> [UUID] {
        try await executor.query("SELECT DISTINCT app FROM run_jobs ORDER BY app")
            .map { (row) throws(PostgresError) in try row.decode("app") }
    }

    func insert(_ job: RunJob, requestedBy: String, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            """
            INSERT INTO run_jobs (uuid, app, pod, release, ptype, args, timeout_seconds, expires_seconds, requested_by)
            VALUES (\(job.uuid), \(job.app), \(job.pod), \(job.release), \(job.ptype), \(job.arguments), \(job.timeout),
                \(job.expires), \(requestedBy))
            """)
    }

    /// Notes that the command runs, so that it is never started again.
    func begin(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute(
            "UPDATE run_jobs SET state = 'running', started = now() WHERE uuid = \(uuid) AND state = 'pending'")
    }

    /// - Parameter exitCode: nil when it is not known.
    /// - Returns: false when the end was written down before.
    func finish(
        _ uuid: UUID, exitCode: Int?, message: String, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Bool {
        try await executor.execute(
            """
            UPDATE run_jobs SET state = \(exitCode == 0 ? RunJob.State.down : .crashed), exit_code = \(exitCode),
                message = \(message), finished = now() WHERE uuid = \(uuid) AND finished IS NULL
            """) == 1
    }

    func remove(_ uuid: UUID, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM run_jobs WHERE uuid = \(uuid)")
    }
}

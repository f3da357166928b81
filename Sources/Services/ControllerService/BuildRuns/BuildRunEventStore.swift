import FoundationEssentials
import PlatformModel
import Postgres

/// The lines of build runs; readers are woken through channel `build_run`, whose payload is the run's id.
struct BuildRunEventStore: Sendable {
    static let channel = "build_run"

    init() {}

    /// Appends lines in order.
    func append(
        _ events: [BuildRunEvent], to run: UUID, in executor: some SQLExecutor
    ) async throws(PostgresError) {
        guard !events.isEmpty else { return }
        // One statement takes the numbers and writes the lines, so that concurrent writers cannot interleave them.
        try await executor.execute(
            """
            WITH numbered AS (
                UPDATE build_runs SET next_sequence = next_sequence + \(events.count), updated = now()
                WHERE uuid = \(run) RETURNING next_sequence - \(events.count) AS first
            ), written AS (
                INSERT INTO build_run_events (build_run, sequence, kind, phase, text, seconds, state, exit)
                SELECT \(run), numbered.first + line.ordinality::int - 1, line.kind, line.phase, line.text,
                    line.seconds, line.state, line.exit
                FROM numbered, unnest(\(events.map(\.kind.rawValue))::text[], \(events.map(\.phase))::text[],
                    \(events.map(\.text))::text[], \(events.map(\.seconds))::float8[],
                    \(events.map { $0.state?.rawValue })::text[], \(events.map(\.exit))::int[])
                    WITH ORDINALITY AS line (kind, phase, text, seconds, state, exit, ordinality)
            )
            SELECT pg_notify(\(Self.channel), \(run.uuidString.lowercased()))
            """)
    }

    /// Whether the phase has been told.
    func hasPhase(_ phase: String, of run: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Bool {
        try await !executor.query(
            "SELECT 1 AS found FROM build_run_events WHERE build_run = \(run) AND kind = 'phase' AND phase = \(phase)"
        ).isEmpty
    }

    /// Lines from number `from` on, at most `limit`.
    func events(
        of run: UUID, from: Int, limit: Int, in executor: some SQLExecutor
    ) async throws(PostgresError) -> [(sequence: Int, event: BuildRunEvent)] {
        let rows = try await executor.query(
            """
            SELECT sequence, kind, phase, text, seconds, state, exit FROM build_run_events
            WHERE build_run = \(run) AND sequence >= \(from) ORDER BY sequence LIMIT \(limit)
            """)
        return try rows.map { (row) throws(PostgresError) in
            (sequence: try row.decode("sequence"), event: try BuildRunEvent(row))
        }
    }
}

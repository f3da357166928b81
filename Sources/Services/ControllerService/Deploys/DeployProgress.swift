import FoundationEssentials
import Postgres

/// Writes the phases of a deploy to the push they belong to, when there is one.
struct DeployProgress: Sendable {
    private let pool: PostgresPool
    private let run: BuildRun?
    private let events = BuildRunEventStore()

    init(pool: PostgresPool, run: BuildRun?) {
        self.pool = pool
        // A run that was cancelled or superseded has its last line already.
        self.run = run.flatMap { $0.state == .deploying ? $0 : nil }
    }

    /// A phase that has ended well; told once, also when the deploy is gone through again after a crash.
    func phase(_ name: String, _ text: String, since start: ContinuousClock.Instant) async throws {
        guard let run, try await isOpen(run), try await !events.hasPhase(name, of: run.uuid, in: pool) else { return }
        let duration = ContinuousClock.now - start
        try await events.append([.phase(name, text, seconds: duration.inSeconds)], to: run.uuid, in: pool)
    }

    /// Output worth showing, such as the last lines of a process that died.
    func lines(_ phase: String, _ lines: [String]) async throws {
        guard let run, !lines.isEmpty, try await isOpen(run) else { return }
        try await events.append(lines.map { .line(phase, $0) }, to: run.uuid, in: pool)
    }

    /// A run that a newer push has superseded meanwhile has its last line already.
    private func isOpen(_ run: BuildRun) async throws -> Bool {
        try await BuildRunStore().find(run.uuid, in: pool)?.state == .deploying
    }

    /// Ends the push together with its deployment, in one transaction.
    func end(_ state: BuildRun.State, _ text: String, in transaction: Transaction) async throws {
        guard let run, try await BuildRunStore().lock(run.uuid, in: transaction)?.state == .deploying else { return }
        let seconds = Date.now.timeIntervalSince(run.created)
        try await BuildRunStore().setState(
            state, of: run.uuid, reason: state == .live ? nil : text, in: transaction)
        try await events.append([.end(state, text, seconds: seconds)], to: run.uuid, in: transaction)
    }
}

extension Duration {
    /// Seconds with a fraction, for records and people.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

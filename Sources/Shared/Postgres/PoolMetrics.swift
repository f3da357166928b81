import Metrics

/// What a pool counts: waits for a connection, durations of statements, failures by code.
struct PoolMetrics: Sendable {
    private let wait = Timer(label: "postgres.pool.wait")
    private let duration = Timer(label: "postgres.statement.duration")
    private let connections = Gauge(label: "postgres.pool.connections")
    private let failures: [PostgresError.Code: Counter]

    init() {
        failures = Dictionary(
            uniqueKeysWithValues: PostgresError.Code.all.map { code in
                (code, Counter(label: "postgres.errors", dimensions: [("code", code.description)]))
            })
    }

    func recordWait(since start: ContinuousClock.Instant) {
        wait.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
    }

    func recordStatement(since start: ContinuousClock.Instant) {
        duration.recordNanoseconds((ContinuousClock.now - start).wholeNanoseconds)
    }

    func recordConnections(_ count: Int) {
        connections.record(count)
    }

    func count(_ error: PostgresError) {
        failures[error.code]?.increment()
    }
}

extension Duration {
    fileprivate var wholeNanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}

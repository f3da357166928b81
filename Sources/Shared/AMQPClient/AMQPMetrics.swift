import Metrics

/// What a connection counts.
struct AMQPMetrics {
    private let confirmation = Timer(label: "amqp.publish.duration")
    private let deliveries = Counter(label: "amqp.deliveries")
    private let connects = Counter(label: "amqp.connects")
    private let losses = Counter(label: "amqp.connections.lost")
    private let failures: [AMQPError.Code: Counter]

    init() {
        failures = Dictionary(
            uniqueKeysWithValues: AMQPError.Code.all.map { code in
                (code, Counter(label: "amqp.errors", dimensions: [("code", code.description)]))
            })
    }

    func didConnect() { connects.increment() }

    func didLoseConnection() { losses.increment() }

    func didDeliver() { deliveries.increment() }

    func didPublish(since start: ContinuousClock.Instant, _ result: Result<Void, AMQPError>) {
        switch result {
        case .success:
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            confirmation.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        case .failure(let error): count(error)
        }
    }

    func count(_ error: AMQPError) { failures[error.code]?.increment() }
}

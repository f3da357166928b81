import Metrics

/// Counts pushes by their outcome.
struct PushMetrics: Sendable {
    private let live = Counter(label: "builder.pushes", dimensions: [("outcome", "live")])
    private let failed = Counter(label: "builder.pushes", dimensions: [("outcome", "failed")])
    private let cancelled = Counter(label: "builder.pushes", dimensions: [("outcome", "cancelled")])
    private let superseded = Counter(label: "builder.pushes", dimensions: [("outcome", "superseded")])
    private let refused = Counter(label: "builder.pushes", dimensions: [("outcome", "refused")])
    private let error = Counter(label: "builder.pushes", dimensions: [("outcome", "error")])

    func count(_ state: RunEvent.State) {
        switch state {
        case .live: live.increment()
        case .failed: failed.increment()
        case .cancelled: cancelled.increment()
        case .superseded: superseded.increment()
        }
    }

    func countRefusal() { refused.increment() }
    func countFailure() { error.increment() }
}

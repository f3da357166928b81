import HTTPTypes
import Metrics

/// The registry's own metrics; their dimensions are closed sets.
struct RegistryMetrics: Sendable {
    private let received = Counter(label: "registry.blob.received.bytes")
    private let sent = Counter(label: "registry.blob.sent.bytes")
    private let damaged = Counter(label: "registry.blob.damaged")
    private let commits = Counter(label: "registry.blob.commits")

    func countReceived(_ bytes: Int) { received.increment(by: bytes) }
    func countSent(_ bytes: Int) { sent.increment(by: bytes) }
    func countDamaged() { damaged.increment() }
    func countCommit() { commits.increment() }

    /// Counts and times a request by resource, method and status.
    func countRequest(_ resource: String, _ method: HTTPRequest.Method, status: Int, duration: Duration) {
        let dimensions = [("resource", resource), ("method", method.rawValue), ("status", "\(status)")]
        Counter(label: "registry.requests", dimensions: dimensions).increment()
        let (seconds, attoseconds) = duration.components
        Timer(label: "registry.request.duration", dimensions: Array(dimensions.prefix(2)))
            .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

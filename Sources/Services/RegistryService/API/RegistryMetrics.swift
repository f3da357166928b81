import HTTPTypes
import Metrics
import ServiceHTTP
import Synchronization

/// The registry's own metrics; their dimensions are closed sets.
final class RegistryMetrics: Sendable {
    private struct RequestKind: Hashable {
        let resource: String
        let method: String
        let status: Int
    }

    private let received = Counter(label: "registry.blob.received.bytes")
    private let sent = Counter(label: "registry.blob.sent.bytes")
    private let remembered = Counter(label: "registry.blob.remembered")
    private let damaged = Counter(label: "registry.blob.damaged")
    private let commits = Counter(label: "registry.blob.commits")
    /// Kept, because finding a metric by its dimensions costs more than a small request.
    private let requests = Mutex<[RequestKind: (count: Counter, time: Timer)]>([:])

    func countReceived(_ bytes: Int) { received.increment(by: bytes) }
    func countSent(_ bytes: Int) { sent.increment(by: bytes) }
    func countRemembered() { remembered.increment() }
    func countDamaged() { damaged.increment() }
    func countCommit() { commits.increment() }

    /// Counts and times a request by resource, method and status.
    func countRequest(_ resource: String, _ method: HTTPRequest.Method, status: Int, duration: Duration) {
        let kind = RequestKind(resource: resource, method: method.dimension, status: status)
        let (count, time) = requests.withLock { requests in
            if let known = requests[kind] { return known }
            let dimensions = [("resource", resource), ("method", kind.method), ("status", "\(status)")]
            let new = (
                count: Counter(label: "registry.requests", dimensions: dimensions),
                time: Timer(label: "registry.request.duration", dimensions: Array(dimensions.prefix(2)))
            )
            requests[kind] = new
            return new
        }
        count.increment()
        let (seconds, attoseconds) = duration.components
        time.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

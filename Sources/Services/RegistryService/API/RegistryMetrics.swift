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

    private struct RequestMeter {
        private let counter: Counter
        private let timer: Timer

        init(_ kind: RequestKind) {
            let dimensions = [("resource", kind.resource), ("method", kind.method), ("status", "\(kind.status)")]
            counter = Counter(label: "registry.requests", dimensions: dimensions)
            timer = Timer(label: "registry.request.duration", dimensions: Array(dimensions.prefix(2)))
        }

        func count(_ duration: Duration) {
            counter.increment()
            let (seconds, attoseconds) = duration.components
            timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        }
    }

    private let received = Counter(label: "registry.blob.received.bytes")
    private let sent = Counter(label: "registry.blob.sent.bytes")
    private let remembered = Counter(label: "registry.blob.remembered")
    private let damaged = Counter(label: "registry.blob.damaged")
    private let commits = Counter(label: "registry.blob.commits")
    /// Kept, because finding a metric by its dimensions costs more than a small request.
    private let requests = Mutex<[RequestKind: RequestMeter]>([:])
    private let pulls = RequestMeter(RequestKind(resource: "blob", method: "GET", status: 200))

    func countReceived(_ bytes: Int) { received.increment(by: bytes) }
    func countSent(_ bytes: Int) { sent.increment(by: bytes) }
    func countDamaged() { damaged.increment() }
    func countCommit() { commits.increment() }

    /// Counts and times the pull of a blob of so many bytes that was answered at once.
    func countRemembered(_ bytes: Int, duration: Duration) {
        remembered.increment()
        countSent(bytes)
        pulls.count(duration)
    }

    /// Counts and times a request by resource, method and status.
    func countRequest(_ resource: String, _ method: HTTPRequest.Method, status: Int, duration: Duration) {
        let kind = RequestKind(resource: resource, method: method.dimension, status: status)
        let meter = requests.withLock { requests in
            if let known = requests[kind] { return known }
            let new = RequestMeter(kind)
            requests[kind] = new
            return new
        }
        meter.count(duration)
    }
}

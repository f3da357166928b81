import Metrics

/// The server's counters, with a closed set of dimensions.
struct SSHServerMetrics: Sendable {
    private let connections = Gauge(label: "ssh.connections")
    private let signIns = Counter(label: "ssh.authentications", dimensions: [("outcome", "accepted")])
    private let unknownKeys = Counter(label: "ssh.authentications", dimensions: [("outcome", "unknown_key")])
    private let timeouts = Counter(label: "ssh.connections.ended", dimensions: [("reason", "sign_in_timeout")])
    private let full = Counter(label: "ssh.connections.refused", dimensions: [("reason", "full")])
    private let perAddress = Counter(label: "ssh.connections.refused", dimensions: [("reason", "address")])
    private let served = Counter(label: "ssh.connections.ended", dimensions: [("reason", "served")])
    private let unserved = Counter(label: "ssh.connections.ended", dimensions: [("reason", "never_signed_in")])
    private let succeeded = Counter(label: "ssh.commands", dimensions: [("outcome", "succeeded")])
    private let failed = Counter(label: "ssh.commands", dimensions: [("outcome", "failed")])
    private let received = Counter(label: "ssh.received.bytes")
    private let sent = Counter(label: "ssh.sent.bytes")

    func record(connections count: Int) { connections.record(count) }
    func record(end wasSignedIn: Bool) { (wasSignedIn ? served : unserved).increment() }
    func countSignIn() { signIns.increment() }
    func countUnknownKey() { unknownKeys.increment() }
    func countTimeout() { timeouts.increment() }
    func countRefusal(isFull: Bool) { (isFull ? full : perAddress).increment() }
    func countCommand(status: Int) { (status == 0 ? succeeded : failed).increment() }

    func count(received: Int, sent: Int) {
        if received > 0 { self.received.increment(by: received) }
        if sent > 0 { self.sent.increment(by: sent) }
    }
}

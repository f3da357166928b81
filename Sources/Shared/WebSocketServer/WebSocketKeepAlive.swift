import NIOCore

/// Decides when a peer is pinged, given up or idle; a value without clock, so that its rules can be tested.
struct WebSocketKeepAlive {
    enum Action: Equatable {
        case wait
        case ping
        /// The peer did not answer the ping.
        case silent
        /// Nobody sent a message for the idle timeout.
        case idle
    }

    private let configuration: WebSocketConfiguration
    private var lastHeard: NIODeadline
    private var lastMessage: NIODeadline
    private var pinged: NIODeadline?

    init(configuration: WebSocketConfiguration, start: NIODeadline = .now()) {
        self.configuration = configuration
        lastHeard = start
        lastMessage = start
    }

    /// Something, if only a pong, came from the peer.
    mutating func received(at now: NIODeadline) {
        lastHeard = now
        pinged = nil
    }

    /// A message went either way.
    mutating func exchanged(at now: NIODeadline) {
        lastMessage = now
    }

    func nextCheck(after now: NIODeadline) -> NIODeadline {
        // A pong may come at any time and starts a new interval, so a check is never further away than one.
        var next =
            pinged.map { min($0 + configuration.pongTimeout, now + configuration.pingInterval) }
            ?? lastHeard + configuration.pingInterval
        if let idle = configuration.idleTimeout { next = min(next, lastMessage + idle) }
        return max(next, now + .milliseconds(1))
    }

    mutating func check(at now: NIODeadline) -> Action {
        if let idle = configuration.idleTimeout, now >= lastMessage + idle { return .idle }
        if let pinged { return now >= pinged + configuration.pongTimeout ? .silent : .wait }
        guard now >= lastHeard + configuration.pingInterval else { return .wait }
        pinged = now
        return .ping
    }
}

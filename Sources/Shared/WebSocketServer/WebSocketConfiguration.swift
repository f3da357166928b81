package import NIOCore

/// Limits and patience of a websocket server.
package struct WebSocketConfiguration: Sendable {
    /// The largest message accepted after joining fragments, in bytes; a larger one closes with 1009.
    package var maximumMessageSize: Int
    /// How long the peer may be silent before it is pinged.
    package var pingInterval: TimeAmount
    /// How long a pinged peer may stay silent before the connection is dropped.
    package var pongTimeout: TimeAmount
    /// How long the peer may take to answer our close frame.
    package var closeTimeout: TimeAmount
    /// How long neither side may send a message before the server closes with 1001; nil is for ever.
    package var idleTimeout: TimeAmount?
    /// How long an HTTP connection may be idle between two requests.
    package var httpIdleTimeout: TimeAmount

    package init(
        maximumMessageSize: Int = 1 << 20,
        pingInterval: TimeAmount = .seconds(20),
        pongTimeout: TimeAmount = .seconds(20),
        closeTimeout: TimeAmount = .seconds(5),
        idleTimeout: TimeAmount? = nil,
        httpIdleTimeout: TimeAmount = .seconds(75)
    ) {
        self.maximumMessageSize = maximumMessageSize
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        self.closeTimeout = closeTimeout
        self.idleTimeout = idleTimeout
        self.httpIdleTimeout = httpIdleTimeout
    }
}

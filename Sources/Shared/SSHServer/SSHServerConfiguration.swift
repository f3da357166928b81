/// Where the server listens and how much it lets one peer take.
package struct SSHServerConfiguration: Sendable {
    /// A numeric IPv4 or IPv6 address.
    package var host: String
    /// 0 picks a free port; ``SSHServer/port`` tells which.
    package var port: Int
    /// Directory of the host keys; missing keys are made there once and kept.
    package var hostKeyDirectory: String
    /// Connections served at once. Each has a thread; a further one is told that the server is full.
    package var maximumConnections = 128
    /// Connections of one address that have not signed in yet.
    package var maximumUnauthenticatedPerAddress = 16
    package var maximumChannelsPerConnection = 10
    /// Keys a client may offer on one connection.
    package var maximumOfferedKeys = 24
    /// Time to agree on keys and ciphers.
    package var handshakeLimit: Duration = .seconds(15)
    /// Time from the connection to a valid signature.
    package var authenticationLimit: Duration = .seconds(45)
    /// Time the authorizer has to judge one key.
    package var authorizerLimit: Duration = .seconds(10)
    /// Time the command handler has to answer.
    package var handlerLimit: Duration = .seconds(30)
    /// A signed-in connection without a command is closed after this time.
    package var idleLimit: Duration = .seconds(600)
    /// A quiet connection is sent a keep-alive this often.
    package var keepAliveInterval: Duration = .seconds(30)
    /// A peer that acknowledges nothing it was sent for this time is gone (`TCP_USER_TIMEOUT`).
    package var peerLimit: Duration = .seconds(120)

    package init(host: String, port: Int, hostKeyDirectory: String) {
        self.host = host
        self.port = port
        self.hostKeyDirectory = hostKeyDirectory
    }
}

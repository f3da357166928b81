/// A command a signed-in client asks to run.
package struct SSHCommandRequest: Sendable {
    package let identity: SSHIdentity
    /// As the client sent it; nothing in it is trusted.
    package let command: String
    /// The client's wish for git's wire protocol, if it has the shape of one.
    package let gitProtocol: String?
    /// Address of the client, for logs.
    package let peer: String
}

/// What becomes of a command.
package enum SSHResponse: Sendable {
    /// Writes these texts and ends the command with `status`.
    case reply(output: String = "", error: String = "", status: Int)
    /// Runs a child process wired to the channel and ends the command with its status.
    case process(SSHChildProcess)
}

/// A child process that serves a command over its standard streams.
package struct SSHChildProcess: Sendable {
    /// Absolute path.
    package var executable: String
    package var arguments: [String]
    /// The whole environment; nothing is inherited.
    package var environment: [String: String]
    package var workingDirectory: String
    /// How long the process may go on when its client is lost; then its process group is ended.
    ///
    /// With zero its output is closed at once, so that it ends by itself at the next write.
    package var patienceWithoutClient: Duration
    /// Called on the connection's thread when the client is lost while the process runs; must not block.
    package var onClientLost: @Sendable () -> Void = {}
    /// Called once on the connection's thread with the exit status; must not block. A process ended by a signal
    /// counts as 128 plus the signal's number, one that could not be started as 127.
    package var onExit: @Sendable (Int) -> Void

    package init(
        executable: String, arguments: [String], environment: [String: String], workingDirectory: String,
        patienceWithoutClient: Duration = .zero, onExit: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.patienceWithoutClient = patienceWithoutClient
        self.onExit = onExit
    }
}

/// Decides what a command does.
package protocol SSHCommandHandler: Sendable {
    /// Cancelled when the client goes away before the answer.
    func respond(to request: SSHCommandRequest) async -> SSHResponse
}

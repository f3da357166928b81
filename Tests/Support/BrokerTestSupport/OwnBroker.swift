import AMQPClient
import CommandRunner
import FoundationEssentials
import Glibc
import Logging
package import PlatformModel
import TestSupport

/// A RabbitMQ node of one test alone, so that the test may kill it and start it again over the same data.
package actor OwnBroker {
    package nonisolated let port: Int
    private nonisolated let directory: String
    private nonisolated let mapperPort: Int
    private nonisolated let distributionPort: Int
    private var mapper: Server?
    private var node: Server?

    /// A running program and the task that waits for its end.
    private struct Server {
        let identity: ProcessIdentity
        let waiting: Task<CommandExit, any Error>
    }

    /// The program ended before it ran.
    private struct NotStarted: Error {
        let program: String
    }

    fileprivate init(directory: String) throws {
        self.directory = directory
        port = try freePort()
        mapperPort = try freePort()
        distributionPort = try freePort()
        for folder in ["data", "logs"] {
            try FileManager.default.createDirectory(
                atPath: "\(directory)/\(folder)", withIntermediateDirectories: true)
        }
        let settings = """
            listeners.tcp.1 = 127.0.0.1:\(port)
            default_vhost = workflow
            default_user = workflow
            default_pass = workflow
            default_permissions.configure = .*
            default_permissions.read = .*
            default_permissions.write = .*
            log.console = true
            log.console.level = warning
            log.file = false
            disk_free_limit.absolute = 50MB

            """
        for (name, text) in [
            ("rabbitmq.conf", settings), ("enabled_plugins", ""),
            ("advanced.config", "[{kernel, [{inet_dist_use_interface, {127,0,0,1}}]}].\n"),
        ] {
            try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(name)"))
        }
    }

    package nonisolated var url: Secret { Secret("amqp://workflow:workflow@127.0.0.1:\(port)/workflow") }

    /// Starts the node and returns once it answers.
    package func start() async throws {
        if mapper == nil {
            mapper = try await Self.launch(
                Command("epmd", ["-address", "127.0.0.1", "-port", "\(mapperPort)"], environment: ["HOME": directory]),
                log: "\(directory)/epmd.log")
        }
        node = try await Self.launch(
            Command("/usr/lib/rabbitmq/bin/rabbitmq-server", environment: environment, workingDirectory: directory),
            log: "\(directory)/node.log")
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let probe = try AMQPConnection(url: url, name: "probe", limit: .seconds(90), logger: logger)
        defer { probe.close() }
        try await probe.declare([])
    }

    /// Ends the node as a power cut would.
    package func kill() async throws {
        try await Self.end(node)
        node = nil
    }

    fileprivate func remove() async throws {
        try await Self.end(node)
        try await Self.end(mapper)
    }

    /// What the broker's own programs need to find the node.
    package nonisolated var environment: [String: String] {
        [
            "HOME": directory, "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": "\(mapperPort)",
            "RABBITMQ_NODENAME": "own\(port)@localhost", "RABBITMQ_DIST_PORT": "\(distributionPort)",
            "RABBITMQ_CONFIG_FILE": "\(directory)/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": "\(directory)/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": "\(directory)/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "\(directory)/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": "\(directory)/data", "RABBITMQ_LOG_BASE": "\(directory)/logs",
            "RABBITMQ_PID_FILE": "\(directory)/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        ]
    }

    private static func launch(_ command: Command, log: String) async throws -> Server {
        let (starts, continuation) = AsyncStream<ProcessIdentity>.makeStream()
        // Awaited when the server is ended.
        let waiting = Task {
            defer { continuation.finish() }
            return try await CommandRunner.runServer(command, log: log) { continuation.yield($0) }
        }
        for await identity in starts { return Server(identity: identity, waiting: waiting) }
        _ = try await waiting.value
        throw NotStarted(program: command.executable)
    }

    private static func end(_ server: Server?) async throws {
        guard let server else { return }
        for process in ProcessIdentity.members(ofSession: server.identity.pid) { process.send(signal: SIGKILL) }
        _ = try await server.waiting.value
    }
}

/// Runs `body` with a broker of its own that is not started yet; it is killed and forgotten afterwards.
package func withOwnBroker(
    isolation: isolated (any Actor)? = #isolation, _ body: (OwnBroker) async throws -> Void
) async throws {
    try await withTemporaryDirectory("broker") { directory in
        let broker = try OwnBroker(directory: directory)
        do {
            try await body(broker)
        } catch {
            try await broker.remove()
            throw error
        }
        try await broker.remove()
    }
}

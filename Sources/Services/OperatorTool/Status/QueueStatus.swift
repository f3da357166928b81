import AMQPClient
import Logging
import TaskQueue

/// One task queue of the platform: what waits in it, and what was given up.
struct QueueStatus: Codable, Sendable {
    let name: String
    let ready: Int
    let consumers: Int
    let delayed: Int
    let deadLetters: Int

    private enum CodingKeys: String, CodingKey {
        case name, ready, consumers, delayed
        case deadLetters = "dead_letters"
    }

    /// Every task queue of the installation.
    static func all(state: StateDirectory, settings: Settings) async throws -> [QueueStatus] {
        try await TaskBroker.with(state: state, settings: settings) { connection in
            var found: [QueueStatus] = []
            for queue in TaskBroker.queues {
                let depth = try await QueueDepth.read(queue, topology: TaskBroker.topology, connection: connection)
                found.append(
                    QueueStatus(
                        name: queue, ready: depth.ready, consumers: depth.consumers, delayed: depth.delayed,
                        deadLetters: depth.dead))
            }
            return found
        }
    }
}

/// The installation's broker as the operator's commands use it: one short-lived connection.
enum TaskBroker {
    static let queues = ["builder.build", "controller.work"]
    static let topology = TaskTopology(queues: queues)

    static func with<Value: Sendable>(
        state: StateDirectory, settings: Settings, _ body: (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        let broker = try BrokerNode(state: state, ports: settings.ports)
        let secrets = try SecretValues.load(from: state)
        let connection = try AMQPConnection(
            url: broker.url(password: secrets[.broker]), name: "workflow", limit: .seconds(5), logger: quiet)
        defer { connection.close() }
        return try await body(connection)
    }

    /// What the connection has to say is in the error it throws.
    private static var quiet: Logger { Logger(label: "broker") { _ in SwiftLogNoOpLogHandler() } }
}

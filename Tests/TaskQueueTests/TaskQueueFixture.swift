import AMQPClient
import FoundationEssentials
import Logging
import PlatformModel
import ServiceLifecycle
import TestSupport

@testable import TaskQueue

/// A work queue of its own on the real broker.
struct TaskQueueFixture: Sendable {
    let connection: AMQPConnection
    let queue = "test." + UUID().uuidString.lowercased()
    let topology: TaskTopology
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    init() throws {
        connection = try AMQPConnection(
            url: Secret(try TestEnvironment.requireAMQP()), name: "test",
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        topology = TaskTopology(queues: [queue], delays: [.milliseconds(50), .milliseconds(100)], settling: .zero)
    }

    private struct NoPort: Error {}

    private var url: URLComponents {
        get throws {
            guard let url = URLComponents(string: try TestEnvironment.requireAMQP()) else { throw NoPort() }
            return url
        }
    }

    var port: UInt16 {
        get throws {
            guard let port = try url.port else { throw NoPort() }
            return UInt16(port)
        }
    }

    /// Another connection, through a proxy at `port` if there is one.
    func connect(port: UInt16? = nil, heartbeat: Int = 10) throws -> AMQPConnection {
        var url = try url
        if let port { url.port = Int(port) }
        url.query = "heartbeat=\(heartbeat)"
        guard let text = url.string else { throw NoPort() }
        return try AMQPConnection(url: Secret(text), name: "test", logger: logger)
    }

    func publish(_ task: TaskEnvelope) async throws {
        try await TaskPublisher(connection: connection).publish(task, to: queue)
    }

    /// Runs a consumer while `body` runs, on its own connection if one is given.
    func consuming(
        _ handlers: [TaskHandler], connection own: AMQPConnection? = nil, _ body: () async throws -> Void
    ) async throws {
        try await topology.declare(on: own ?? connection)
        let consumer = TaskConsumer(
            connection: own ?? connection, queue: queue, topology: topology, handlers: handlers, concurrency: 2,
            logger: logger)
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        try await body()
    }

    func expectEmpty() async throws {
        try await eventually("the queue is empty") { try await connection.queueStatus(queue).messages == 0 }
    }

    func deadLetters() async throws -> [DeadLetter] {
        try await DeadLetters(connection: connection).list(queue)
    }

    func remove() async throws {
        for name in [queue, TaskTopology.deadQueue(queue)] + (1...2).map({ TaskTopology.retryQueue(queue, $0) }) {
            try await connection.delete(queue: name)
        }
    }
}

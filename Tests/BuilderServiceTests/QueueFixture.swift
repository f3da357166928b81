import AMQPClient
import AccessTokens
import FoundationEssentials
import Logging
import PlatformModel
import TaskQueue
import TestSupport

@testable import BuilderService

/// A build queue of its own on the real broker, and a runner that works on it.
struct QueueFixture: Sendable {
    let controller: FakeController
    let folder: String
    let queue = "test.build." + UUID().uuidString.lowercased()
    let connection: AMQPConnection
    let port: Int

    var topology: TaskTopology { TaskTopology(queues: [queue], delays: [.milliseconds(50), .milliseconds(100)]) }

    init(_ controller: FakeController, folder: String, port: Int) throws {
        self.controller = controller
        self.folder = folder
        self.port = port
        connection = try AMQPConnection(
            url: Secret(try TestEnvironment.requireAMQP()), name: "test", logger: BuilderFixture.quietLogger())
    }

    /// Runs `body` with an empty queue that is gone afterwards.
    static func with(
        _ controller: FakeController = FakeController { _, _ in }, folder: String,
        _ body: @escaping @Sendable (QueueFixture) async throws -> Void
    ) async throws {
        try await BuilderFixture.withController(controller) { port in
            let fixture = try QueueFixture(controller, folder: folder, port: port)
            try await fixture.topology.declare(on: fixture.connection)
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(fixture))
            } catch {
                outcome = .failure(error)
            }
            for name in [fixture.queue, TaskTopology.deadQueue(fixture.queue)]
                + (1...2).map({ TaskTopology.retryQueue(fixture.queue, $0) })
            {
                try await fixture.connection.delete(queue: name)
            }
            fixture.connection.close()
            try outcome.get()
        }
    }

    /// What the controller does when it has opened a run.
    @discardableResult
    func publish(_ run: String, id: UUID = UUID()) async throws -> UUID {
        let task = TaskEnvelope(id: id, name: "build.run", payload: ["build_run": .string(run)])
        try await TaskPublisher(connection: connection).publish(task, to: queue)
        return id
    }

    func publishWithoutRun() async throws {
        try await TaskPublisher(connection: connection).publish(
            TaskEnvelope(name: "build.run", payload: ["run": "x"]), to: queue)
    }

    func deadLetters() async throws -> Int {
        try await connection.queueStatus(TaskTopology.deadQueue(queue)).messages
    }

    func runner(program: String, environment: [String: String], storage: String, holder: String = "builder-1")
        async throws
        -> BuildRunner
    {
        let hooks = try BuilderFixture.hooks(port: port)
        let logger = BuilderFixture.quietLogger()
        let runner = BuildRunner(
            controller: hooks,
            process: ImageBuilderProcess(program: program, environment: environment, logger: logger),
            storage: StorageSettings(url: storage), workDirectory: "\(folder)/\(holder)", holder: holder, logger: logger
        )
        try await runner.prepare()
        return runner
    }

    /// Works on the queue while `body` runs.
    func working(_ runner: BuildRunner, _ body: () async throws -> Void) async throws {
        let own = try AMQPConnection(
            url: Secret(try TestEnvironment.requireAMQP()), name: "test-builder", logger: BuilderFixture.quietLogger())
        let work = BuildQueue(
            connection: own, runner: runner, queue: queue, topology: topology, concurrency: 2,
            logger: BuilderFixture.quietLogger())
        let running = Task { try await work.run() }
        do {
            try await body()
        } catch {
            running.cancel()
            _ = await running.result
            throw error
        }
        running.cancel()
        _ = await running.result
    }

    func expectSettled() async throws {
        try await eventually("the queue is empty") {
            try await connection.queueStatus(queue).messages == 0
        }
    }
}

import AMQPClient
import Logging
import PlatformModel
import ServiceLifecycle
import TaskQueue

/// Takes build tasks from the broker, some at a time.
struct BuildQueue: Service {
    static let queue = "builder.build"

    let connection: AMQPConnection
    let runner: BuildRunner
    let queue: String
    let topology: TaskTopology
    let concurrency: Int
    let logger: Logger

    init(
        connection: AMQPConnection, runner: BuildRunner, queue: String = Self.queue,
        topology: TaskTopology = TaskTopology(queues: [Self.queue]), concurrency: Int, logger: Logger
    ) {
        self.connection = connection
        self.runner = runner
        self.queue = queue
        self.topology = topology
        self.concurrency = concurrency
        self.logger = logger
    }

    /// Consumes until shutdown. A build that is still going when the process's time is over is ended and delivered
    /// again.
    func run() async throws {
        defer { connection.close() }
        let handler = TaskHandler("build.run") { [runner] task in
            guard let run = task.payload["build_run"]?.stringValue else {
                throw TaskFailure.permanent("The task names no build run.")
            }
            do {
                try await runner.carryOut(run, attempt: task.attempt)
            } catch let retry as BuildRunner.Retry {
                throw TaskFailure.retry(retry.reason)
            }
        }
        try await TaskConsumer(
            connection: connection, queue: queue, topology: topology, handlers: [handler],
            concurrency: concurrency, logger: logger
        ).run()
    }
}

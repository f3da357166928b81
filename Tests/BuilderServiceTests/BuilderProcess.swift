import AMQPClient
import BuildTestSupport
import CommandRunner
import CurlTransfer
import FoundationEssentials
import Glibc
import TestSupport

/// The shipped builder as a process of its own, which a test may kill and start again over the same folder.
actor BuilderProcess: PushClient {
    nonisolated let folder: String
    nonisolated let controller: FakeController
    nonisolated let port: Int
    nonisolated var repositories: String { folder + "/builder/repositories" }

    private let controllerPort: Int
    private let healthPort: Int
    private let imageBuilder: String
    private var running: (identity: ProcessIdentity, waiting: Task<CommandExit, any Error>)?

    private init(folder: String, controller: FakeController, controllerPort: Int, imageBuilder: String) throws {
        self.folder = folder
        self.controller = controller
        self.controllerPort = controllerPort
        self.imageBuilder = imageBuilder
        port = try freePort()
        healthPort = try freePort()
    }

    /// Runs `body` with a builder that is not started yet; `ada` may use `shop1`.
    static func with(
        _ controller: FakeController, imageBuilder script: String = "exit 75",
        _ body: @escaping @Sendable (BuilderProcess) async throws -> Void
    ) async throws {
        controller.add(user: "ada", to: "shop1")
        try await withTemporaryDirectory("builder-process") { folder in
            try FileManager.default.createDirectory(atPath: folder + "/storage", withIntermediateDirectories: true)
            let program = folder + "/imagebuilder"
            try await CommandRunner.check(
                Command(
                    "sh", ["-c", #"cat > "$1" && chmod 700 "$1""#, "sh", program],
                    standardInput: Array("#!/bin/sh\nFOLDER=\(folder)\n\(script)\n".utf8)))
            try await BuilderFixture.withController(controller) { port in
                let process = try BuilderProcess(
                    folder: folder, controller: controller, controllerPort: port, imageBuilder: program)
                let outcome: Result<Void, any Error>
                do {
                    outcome = .success(try await body(process))
                } catch {
                    outcome = .failure(error)
                }
                try await process.kill()
                try outcome.get()
            }
        }
    }

    /// Starts the builder and returns once it is ready.
    func start() async throws {
        let environment = [
            "BUILDER_SSH_LISTEN": "127.0.0.1:\(port)", "BUILDER_HEALTH_LISTEN": "127.0.0.1:\(healthPort)",
            "BUILDER_GIT_DIRECTORY": folder + "/builder", "BUILDER_NAME": "builder-1",
            "BUILDER_IMAGEBUILDER": imageBuilder,
            "STORAGE_URL": "file://\(folder)/storage", "AMQP_URL": try TestEnvironment.requireAMQP(),
            "CONTROLLER_URL": "http://127.0.0.1:\(controllerPort)",
            "OIDC_ISSUER": "http://127.0.0.1:\(controllerPort)/oauth", "OIDC_CLIENT_SECRET": "secret",
            "LOG_LEVEL": "warning",
        ]
        let command = Command(try builtProgram("builder"), environment: environment, workingDirectory: folder)
        let (starts, continuation) = AsyncStream<ProcessIdentity>.makeStream()
        let log = folder + "/builder.log"
        // Awaited when the process is killed.
        let waiting = Task {
            defer { continuation.finish() }
            return try await CommandRunner.runServer(command, log: log) { continuation.yield($0) }
        }
        for await identity in starts {
            running = (identity, waiting)
            break
        }
        let client = try HTTPClient()
        let ready = TransferRequest(url: "http://127.0.0.1:\(healthPort)/readiness")
        try await eventually("the builder is ready") { try await client.send(ready).status == 200 }
    }

    /// Ends the builder alone, as `kill -9` does; what it started is left to itself.
    func kill() async throws {
        guard let running else { return }
        self.running = nil
        running.identity.send(signal: SIGKILL)
        _ = try await running.waiting.value
    }
}

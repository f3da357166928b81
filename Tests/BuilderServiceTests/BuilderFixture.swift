import AccessTokens
import CommandRunner
import CurlTransfer
import FoundationEssentials
import Logging
import PlatformModel
import SSHServer
import ServiceHTTP
import ServiceLifecycle
import ServiceRuntime
import TestSupport

@testable import BuilderService

/// A builder with its own folder, a controller in the same process, and real git and ssh beside it.
struct BuilderFixture: PushClient {
    let folder: String
    let controller: FakeController
    let parts: BuilderParts

    var port: Int { parts.server.port }
    var repositories: String { parts.repositories.root + "/repositories" }

    static func configuration(folder: String, controllerPort: Int) -> BuilderConfiguration {
        var reader = ConfigurationReader(variables: [
            "BUILDER_SSH_LISTEN": "127.0.0.1:0", "BUILDER_HEALTH_LISTEN": "127.0.0.1:0",
            "BUILDER_GIT_DIRECTORY": folder + "/builder", "BUILDER_NAME": "builder-1", "BUILDER_DRAIN_TIMEOUT": "1",
            "STORAGE_URL": "file://\(folder)/storage", "AMQP_URL": "amqp://127.0.0.1/none",
            "CONTROLLER_URL": "http://127.0.0.1:\(controllerPort)",
            "OIDC_ISSUER": "http://127.0.0.1:\(controllerPort)/oauth",
            "OIDC_CLIENT_SECRET": "secret",
        ])
        return BuilderConfiguration(reader: &reader)
    }

    static func quietLogger() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    /// Runs `body` with a running builder; `members` are the apps `ada` may use.
    static func with(
        _ controller: FakeController = FakeController(), apps: [String] = ["shop1"],
        change: @escaping @Sendable (inout BuilderConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (BuilderFixture) async throws -> Void
    ) async throws {
        for app in apps { controller.add(user: "ada", to: app) }
        try await withTemporaryDirectory("builder") { folder in
            try FileManager.default.createDirectory(atPath: folder + "/storage", withIntermediateDirectories: true)
            try await withController(controller) { port in
                var configuration = configuration(folder: folder, controllerPort: port)
                change(&configuration)
                try await withBuilder(configuration, folder: folder, controller: controller, body)
            }
        }
    }

    static func withController(
        _ controller: FakeController, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        try await withTestServer(controller.makeRouter(), body)
    }

    /// A builder's way to the fake controller on `port`.
    static func hooks(port: Int) throws -> ControllerClient {
        let client = try HTTPClient()
        return ControllerClient(
            client: client, baseURL: "http://127.0.0.1:\(port)",
            credentials: ClientCredentialsSource(
                tokenURL: "http://127.0.0.1:\(port)/oauth/token/", id: "builder", secret: Secret("secret"),
                scopes: ["controller:hook"], client: client))
    }

    /// One life of a builder; ends gracefully.
    static func withBuilder(
        _ configuration: BuilderConfiguration, folder: String, controller: FakeController,
        _ body: @escaping @Sendable (BuilderFixture) async throws -> Void
    ) async throws {
        let logger = quietLogger()
        let parts = try await BuilderParts(
            configuration: configuration, logger: logger,
            hookProgram: BuilderConfiguration.ownDirectory() + "/builder")
        let group = ServiceGroup(
            configuration: .init(
                services: parts.gitServices.map { .init(service: $0) }, gracefulShutdownSignals: [], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let fixture = BuilderFixture(folder: folder, controller: controller, parts: parts)
            try await eventually(within: .seconds(60)) {
                FileManager.default.fileExists(atPath: parts.repositories.hookSocket)
            }
            try await body(fixture)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

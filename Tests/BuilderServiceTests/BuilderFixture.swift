import CommandRunner
import FoundationEssentials
import Logging
import PlatformModel
import SSHServer
import ServiceHTTP
import ServiceRuntime
import ServiceLifecycle
import TestSupport

@testable import BuilderService

/// A builder with its own folder, a controller in the same process, and real git and ssh beside it.
struct BuilderFixture: Sendable {
    let folder: String
    let controller: FakeController
    let parts: BuilderParts

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

    // MARK: Keys and work trees

    func makeKey(_ name: String = "ada", user: String? = "ada") async throws -> String {
        let path = "\(folder)/key-\(name)"
        try await CommandRunner.check(Command("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]))
        let listing = try await CommandRunner.check(Command("ssh-keygen", ["-lf", path + ".pub"])).text
        if let user { controller.add(key: String(listing.split(separator: " ")[1]), user: user) }
        return path
    }

    func url(_ app: String = "shop1") -> String { "ssh://git@127.0.0.1:\(parts.server.port)/\(app).git" }

    @discardableResult
    func git(_ arguments: [String], key: String = "", in directory: String? = nil, deadline: Duration = .seconds(60))
        async throws -> CommandResult
    {
        try await CommandRunner.run(command(arguments, key: key, in: directory, deadline: deadline))
    }

    private func command(_ arguments: [String], key: String, in directory: String?, deadline: Duration) -> Command {
        let ssh = [
            "ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none", "-o", "LogLevel=INFO",
        ]
        let environment = [
            "HOME": folder, "GIT_SSH_COMMAND": ssh.joined(separator: " "), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        ]
        return Command(
            "git", arguments, environment: environment, workingDirectory: directory ?? folder, outputLimit: 16 << 20,
            deadline: deadline)
    }

    func ssh(_ command: [String], key: String) async throws -> CommandResult {
        try await CommandRunner.run(
            Command(
                "ssh",
                [
                    "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
                    "UserKnownHostsFile=/dev/null", "-p", String(parts.server.port), "git@127.0.0.1",
                ] + command, environment: ["HOME": folder]))
    }

    /// A work tree with one commit.
    func makeTree(_ name: String = "tree", files: [String: String] = ["Dockerfile": "FROM scratch\n"]) async throws
        -> String
    {
        let path = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try await git(["init", "-q", "-b", "main"], in: path)
        try await commit(files, in: path)
        return path
    }

    func commit(_ files: [String: String], in tree: String) async throws {
        for (file, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(tree)/\(file)")) }
        try await git(["add", "-A"], in: tree)
        try await git(["commit", "-qm", "change"], in: tree)
    }

    func head(of tree: String) async throws -> String { try await git(["rev-parse", "HEAD"], in: tree).text }

    /// The object a ref of the kept repository has; nil when there is none.
    func kept(_ ref: String, app: String = "shop1") async throws -> String? {
        let path = "\(parts.repositories.root)/repositories/\(app).git"
        let result = try await git(["--git-dir", path, "rev-parse", "--verify", "--quiet", ref])
        return result.exit.isSuccess ? result.text : nil
    }
}

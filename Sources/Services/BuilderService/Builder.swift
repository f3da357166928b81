import AMQPClient
import AccessTokens
import CurlTransfer
import FoundationEssentials
import Glibc
import Hummingbird
import Logging
import ObjectStorage
import SSHServer
import ServiceHTTP
import ServiceLifecycle
import ServiceRuntime

/// git over SSH, and the builds that come out of it.
package enum Builder {
    /// Runs the builder until it is told to stop. Git starts it under the name of its hook during a push.
    package static func run(arguments: [String]) async -> Never {
        if arguments.first?.hasSuffix("/\(HookCommand.name)") == true { exit(HookCommand.run()) }
        await ServiceProcess.run(name: "builder") { reader, process in
            let configuration = BuilderConfiguration(reader: &reader)
            try reader.validate()
            let builder = try await BuilderParts(configuration: configuration, logger: process.logger)
            return builder.parts(process: process)
        }
    }
}

/// The builder's parts, wired together.
struct BuilderParts: Sendable {
    let configuration: BuilderConfiguration
    let controller: ControllerClient
    let repositories: RepositoryStore
    let followUp: RunFollowUp
    let desk: PushDesk
    let server: SSHServer
    let runner: BuildRunner
    let store: any ObjectStore
    let broker: AMQPConnection
    let logger: Logger

    init(
        configuration: BuilderConfiguration, logger: Logger,
        hookProgram: String = BuilderConfiguration.ownExecutable()
    ) async throws {
        self.configuration = configuration
        self.logger = logger
        let client = try HTTPClient()
        controller = ControllerClient(
            client: client, baseURL: configuration.controllerURL,
            credentials: ClientCredentialsSource(
                tokenURL: configuration.tokenURL, id: configuration.clientID, secret: configuration.clientSecret,
                scopes: ["controller:hook"], client: client))
        let storage = configuration.storage
        store = try await makeObjectStore(
            url: storage.url, accessKey: storage.accessKey, secretKey: storage.secretKey)
        repositories = RepositoryStore(root: configuration.gitDirectory)
        try repositories.prepare(hookProgram: hookProgram)
        try await RepositoryRecovery(folder: repositories.repositories, logger: logger).run()
        let tickets = PushTickets()
        followUp = RunFollowUp(controller: controller, repositories: repositories, logger: logger)
        desk = PushDesk(
            controller: controller,
            bundler: SourceBundler(store: store, limits: configuration.limits, spool: repositories.spool),
            repositories: repositories, tickets: tickets, followUp: followUp, metrics: PushMetrics(), logger: logger)
        let gateway = GitGateway(
            controller: controller, repositories: repositories, tickets: tickets, followUp: followUp,
            limits: configuration.limits, logger: logger)
        server = try SSHServer(
            configuration: Self.ssh(configuration, repositories),
            authorizer: KeyDirectory(controller: controller, logger: logger), handler: gateway, logger: logger)
        runner = BuildRunner(
            controller: controller,
            process: ImageBuilderProcess(
                program: configuration.imageBuilder, environment: Self.childEnvironment(configuration), logger: logger),
            storage: storage, workDirectory: configuration.workDirectory, holder: configuration.name, logger: logger)
        try await runner.prepare()
        broker = try AMQPConnection(url: configuration.amqpURL, name: "builder", logger: logger)
    }

    private static func ssh(
        _ configuration: BuilderConfiguration, _ repositories: RepositoryStore
    ) -> SSHServerConfiguration {
        var settings = SSHServerConfiguration(
            host: configuration.sshListen.host, port: configuration.sshListen.port,
            hostKeyDirectory: repositories.hostKeys)
        settings.maximumConnections = configuration.maximumConnections
        settings.maximumUnauthenticatedPerAddress = max(16, configuration.maximumConnections / 2)
        return settings
    }

    /// The variables an imagebuilder inherits: those named by the configuration and its own.
    private static func childEnvironment(_ configuration: BuilderConfiguration) -> [String: String] {
        let own = ProcessInfo.processInfo.environment
        let general = ["HOME", "PATH", "LANG", "TMPDIR", "LOG_LEVEL", "LOG_FORMAT"]
        let names = Set(general + configuration.imageBuilderVariables)
        return own.filter { names.contains($0.key) || $0.key.hasPrefix("IMAGEBUILDER_") }
    }

    /// The parts in order of dependency; they stop from last to first.
    func parts(process: ServiceProcess) -> [ServiceProcess.Part] {
        let router = Router()
        HealthRoutes(checks: checks, metrics: process.metrics, drain: process.drain).addRoutes(to: router)
        let names = ["follow-up", "hook", "ssh"]
        let builds = BuildQueue(
            connection: broker, runner: runner, concurrency: configuration.concurrentBuilds, logger: logger)
        return [
            .init("health", HTTPService(router: router, listen: configuration.healthListen, logger: logger)),
            .init("builds", builds),
            .init("cleaning", cleaning),
        ]
            + zip(names, gitServices).map { .init($0, $1) }
    }

    private var cleaning: Cleaning {
        Cleaning(
            cache: LayerCache(
                program: configuration.imageBuilder, environment: Self.childEnvironment(configuration),
                workDirectory: configuration.workDirectory, logger: logger),
            sources: SourceCleaner(
                store: store, controller: controller, grace: configuration.sourceGrace, logger: logger),
            interval: configuration.cleanInterval)
    }

    /// What takes pushes, in order of dependency.
    var gitServices: [any Service] {
        [
            followUp,
            HookListener(path: repositories.hookSocket, desk: desk, logger: logger),
            SSHGate(server: server, followUp: followUp, drainTimeout: configuration.drainTimeout, logger: logger),
        ]
    }

    private var checks: [ReadinessCheck] {
        [
            ReadinessCheck("storage") { try await store.check() },
            ReadinessCheck("controller") { try await controller.ping() },
            ReadinessCheck("broker") { _ = try await broker.queueStatus(BuildQueue.queue) },
        ]
    }
}

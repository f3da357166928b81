import AMQPClient
import AccessTokens
import CurlTransfer
import FoundationEssentials
import Hummingbird
import Logging
import OpenSSLCrypto
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceRuntime
import TaskOutbox
import TaskQueue

/// The parts of the process that does the controller's work, in order of dependency.
///
/// Relays committed tasks to the broker, carries out those of the controller, and watches what runs.
func makeWorkerProcess(
    _ configuration: ControllerConfiguration, _ settings: WorkerSettings, _ engineSettings: EngineSettings,
    _ process: ServiceProcess
) async throws -> [ServiceProcess.Part] {
    let logger = process.logger
    let database = PostgresPool(
        configuration: .init(url: configuration.databaseURL, size: configuration.databasePoolSize), logger: logger)
    guard let engine = engineSettings.makeEngine(http: try HTTPClient(), logger: logger) else {
        throw ConfigurationError(problems: ["PODMAN_SOCKET is not set: the worker needs a container engine"])
    }
    let notifications = PostgresNotifications(url: configuration.databaseURL, logger: logger)
    let converger = try await makeConverger(configuration, settings, database, notifications, engine, logger)
    let connection = try AMQPConnection(url: configuration.amqpURL, name: "controller-worker", logger: logger)
    let topology = TaskTopology(queues: [Work.workerQueue, Work.builderQueue])
    let publisher = TaskPublisher(connection: connection)
    return [
        .init("database", database),
        .init("http", makeWorkerHealth(configuration, database, connection, process)),
        .init(
            "outbox",
            OutboxRelay(pool: database, notifications: notifications, logger: logger) { message in
                try await publisher.publish(TaskEnvelope(message), to: message.queue)
            }),
        .init(
            "tasks",
            TaskConsumer(
                connection: connection, queue: Work.workerQueue, topology: topology,
                handlers: WorkerTasks(converger: converger).handlers, concurrency: settings.concurrency,
                logger: logger)),
        .init("supervisor", PodSupervisor(engine: engine, logger: logger)),
        .init(
            "observer",
            PodObserver(
                pool: database, engine: engine, converger: converger, sweep: settings.sweep, logger: logger)),
    ]
}

private func makeConverger(
    _ configuration: ControllerConfiguration, _ settings: WorkerSettings, _ database: PostgresPool,
    _ notifications: PostgresNotifications, _ engine: PodmanEngine, _ logger: Logger
) async throws -> AppConverger {
    let issuer = try await RegistryTokenIssuer(
        privateKeyPEM: configuration.registryKey, issuer: configuration.registryIssuer)
    let vault = Vault(box: try Controller.box(configuration))
    let registry = configuration.registryHost
    return AppConverger(
        pool: database, engine: engine,
        routes: RouteSwitch(
            pool: database, notifications: notifications,
            store: RoutingStore(platformDomain: configuration.platformDomain)),
        configs: ConfigStore(vault: vault), limits: .standard, leases: LeaseStore(pool: database),
        holder: "worker-\(SecureRandom.hex(8))", readyLimit: settings.readyLimit,
        appURL: { "\(settings.publicScheme)://\($0).\(configuration.platformDomain)\(settings.publicPort)" },
        credentials: { app in
            // Images of other registries are pulled without credentials.
            let access = [RegistryAccess(name: RegistryTokenService.repositoryName(of: app), actions: ["pull"])]
            let grant = try issuer.grant(subject: app.text, access: access, lifetime: .seconds(600))
            return RegistryCredentials(registry: registry, user: RegistryGrant.userName, password: grant)
        },
        logger: logger)
}

private func makeWorkerHealth(
    _ configuration: ControllerConfiguration, _ database: PostgresPool, _ connection: AMQPConnection,
    _ process: ServiceProcess
) -> HTTPService<BasicRequestContext> {
    let router = Router()
    HealthRoutes(
        checks: [
            ReadinessCheck("database") { try await database.ping() },
            ReadinessCheck("broker") { _ = try await connection.queueStatus(Work.workerQueue) },
        ], metrics: process.metrics, drain: process.drain
    ).addRoutes(to: router)
    return HTTPService(router: router, listen: configuration.workerListen, logger: process.logger)
}

/// What the worker alone is told.
///
/// | key | meaning, default |
/// | --- | --- |
/// | `WORKER_CONCURRENCY` | apps worked on at once, 4 (1 to 64) |
/// | `WORKER_SWEEP` | seconds between looks at all apps, 60 |
/// | `DEPLOY_READY_TIMEOUT` | seconds new processes may take until they are ready, 120 |
/// | `PUBLIC_SCHEME`, `PUBLIC_PORT` | how people reach apps: `http` or `https`; a port other than the scheme's own |
struct WorkerSettings: Sendable {
    let concurrency: Int
    let sweep: Duration
    let readyLimit: Duration
    let publicScheme: String
    /// `:8080`, or nothing for the scheme's own port.
    let publicPort: String

    private enum Scheme: String, CaseIterable {
        case http, https
    }

    init(reader: inout ConfigurationReader) {
        concurrency = reader.integer("WORKER_CONCURRENCY", default: 4, in: 1...64)
        sweep = reader.duration("WORKER_SWEEP", default: .seconds(60))
        readyLimit = reader.duration("DEPLOY_READY_TIMEOUT", default: .seconds(120))
        let scheme = reader.choice("PUBLIC_SCHEME", default: Scheme.http)
        publicScheme = scheme.rawValue
        let usual = scheme == .http ? 80 : 443
        let port = reader.integer("PUBLIC_PORT", default: usual, in: 1...65535)
        publicPort = port == usual ? "" : ":\(port)"
    }
}

extension TaskEnvelope {
    init(_ message: OutboxMessage) {
        self.init(
            id: message.id, name: message.name, version: message.version, created: message.created,
            deadlineSeconds: message.deadlineSeconds, payload: message.payload)
    }
}

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
import ServiceLifecycle
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
    let client = try HTTPClient()
    guard let engine = engineSettings.makeEngine(http: client, logger: logger) else {
        throw ConfigurationError(problems: ["PODMAN_SOCKET is not set: the worker needs a container engine"])
    }
    let appLog = AppLog(
        url: configuration.loggerURL, client: client, credentials: loggerCredentials(configuration, client),
        logger: logger)
    let keepers = try await makeKeepers(
        configuration, settings, .init(database: database, engine: engine, appLog: appLog, logger: logger))
    let connection = try AMQPConnection(url: configuration.amqpURL, name: "controller-worker", logger: logger)
    let topology = TaskTopology(queues: [Work.workerQueue, Work.builderQueue])
    let publisher = TaskPublisher(connection: connection)
    let registry = try await makeImages(configuration, client)
    return [
        .init("database", database),
        .init("app log", appLog),
        .init("http", makeWorkerHealth(configuration, database, connection, process)),
        .init(
            "outbox",
            OutboxRelay(pool: database, notifications: keepers.notifications, logger: logger) { message in
                try await publisher.publish(TaskEnvelope(message), to: message.queue)
            }),
        .init(
            "tasks",
            TaskConsumer(
                connection: connection, queue: Work.workerQueue, topology: topology,
                handlers: WorkerTasks(converger: keepers.apps, jobs: keepers.jobs).handlers,
                // One task of an app may wait while another is worked on.
                concurrency: 2 * settings.concurrency, logger: logger)),
        .init(
            "image holds",
            ImageHoldKeeper(
                pool: database, notifications: keepers.notifications, holder: WorkerIdentity(), registry: registry,
                logger: logger)),
        .init("supervisor", PodSupervisor(engine: engine, logger: logger, begun: .now)),
        .init(
            "observer",
            PodObserver(
                pool: database, engine: engine, apps: keepers.apps, jobs: keepers.jobs, sweep: settings.sweep,
                logger: logger)),
    ]
}

/// What keepers are made of.
private struct WorkerParts {
    let database: PostgresPool
    let engine: PodmanEngine
    let appLog: AppLog
    let logger: Logger
}

/// Those who keep apps and their one-off commands as the rows want them.
private struct Keepers {
    let notifications: PostgresNotifications
    let apps: AppConverger
    let jobs: JobKeeper
}

private func makeKeepers(
    _ configuration: ControllerConfiguration, _ settings: WorkerSettings, _ parts: WorkerParts
) async throws -> Keepers {
    let database = parts.database
    let notifications = PostgresNotifications(url: configuration.databaseURL, logger: parts.logger)
    let plans = ReleasePlans(
        pool: database, configs: ConfigStore(vault: Vault(box: try Controller.box(configuration))), limits: .standard)
    let turns = AppTurns(
        leases: LeaseStore(pool: database), notifications: notifications, holder: WorkerIdentity())
    let credentials = try await pullCredentials(configuration)
    let apps = AppConverger(
        pool: database, engine: parts.engine,
        routes: RouteSwitch(
            pool: database, notifications: notifications,
            store: RoutingStore(platformDomain: configuration.platformDomain)),
        plans: plans, turns: turns, readyLimit: settings.readyLimit,
        appURL: { "\(settings.publicScheme)://\($0).\(configuration.platformDomain)\(settings.publicPort)" },
        credentials: credentials, logger: parts.logger)
    let jobs = JobKeeper(
        pool: database, engine: parts.engine, plans: plans, turns: turns, credentials: credentials,
        log: parts.appLog, logger: parts.logger)
    return Keepers(notifications: notifications, apps: apps, jobs: jobs)
}

/// Grants of our own for an app's images; those of other registries are pulled without credentials.
private func pullCredentials(
    _ configuration: ControllerConfiguration
) async throws -> @Sendable (AppName) async throws -> RegistryCredentials? {
    let issuer = try await RegistryTokenIssuer(
        privateKeyPEM: configuration.registryKey, issuer: configuration.registryIssuer)
    return { app in
        let access = [RegistryAccess(name: RegistryTokenService.repositoryName(of: app), actions: ["pull"])]
        let grant = try issuer.grant(subject: app.text, access: access, lifetime: .seconds(600))
        return RegistryCredentials(
            registry: configuration.registryHost, user: RegistryGrant.userName, password: grant)
    }
}

/// The worker's access to the images in the registry.
private func makeImages(_ configuration: ControllerConfiguration, _ client: HTTPClient) async throws -> RegistryImages {
    let issuer = try await RegistryTokenIssuer(
        privateKeyPEM: configuration.registryKey, issuer: configuration.registryIssuer)
    return RegistryImages(
        host: configuration.registryHost, service: configuration.registryService, issuer: issuer, client: client)
}

private func makeWorkerHealth(
    _ configuration: ControllerConfiguration, _ database: PostgresPool, _ connection: AMQPConnection,
    _ process: ServiceProcess
) -> some Service {
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

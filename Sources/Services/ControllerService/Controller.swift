import AccessTokens
import CurlTransfer
import Hummingbird
import Logging
import MetricsExposition
import OpenSSLCrypto
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceLifecycle
import WebSocketServer

/// The controller's API put together: everything a process that serves it consists of, in the order of dependency.
struct Controller: Sendable {
    let database: PostgresPool
    let notifications: PostgresNotifications
    let appLog: AppLog
    let access: AccessControl
    private let features: Features
    private let logger: Logger

    /// What comes from outside the process, so that tests can give their own.
    struct Peers: Sendable {
        let provider: any IdentityProvider
        let verifier: AccessTokenVerifier
        let client: HTTPClient
        let loggerCredentials: ClientCredentialsSource?
        let work: WorkQueue
        /// Nil when this process cannot reach an engine.
        let pods: (any PodLogSource & PodCommandRunner)?
    }

    /// The parts that serve routes.
    private struct Features: Sendable {
        let login: LoginRoutes
        let tokens: TokenRoutes
        let workspaces: WorkspaceRoutes
        let apps: AppRoutes
        let builds: BuildRoutes
        let buildRuns: BuildRunRoutes
        let buildRunHooks: BuildRunHookRoutes
        let hooks: HookRoutes
        let config: ConfigRoutes
        let releases: ReleaseRoutes
        let pods: PodRoutes
        let ptypes: ProcessTypeRoutes
        let domains: DomainRoutes
        let settings: AppSettingsRoutes
        let tls: TLSRoutes
        let registry: RegistryTokenRoutes
        let routing: RoutingRoutes
        let logs: AppLogRoutes
        let webSockets: WebSocketRoutes
    }

    static func make(
        configuration: ControllerConfiguration, database: PostgresPool, peers: Peers, logger: Logger
    ) async throws -> Controller {
        let vault = Vault(box: try Self.box(configuration))
        let tokens = TokenStore(vault: vault)
        let authenticator = Authenticator(
            database: database, tokens: tokens, provider: peers.provider, verifier: peers.verifier,
            bearerUsers: BearerUserCache(lifetime: Double(configuration.userCacheSeconds)), logger: logger)
        let access = AccessControl(
            database: database, authenticator: authenticator, verifier: peers.verifier,
            throttle: Throttle(
                rates: .init(
                    anonymous: configuration.throttleAnonymous, polling: configuration.throttleLogin,
                    user: configuration.throttleUser)))
        let appLog = AppLog(
            url: configuration.loggerURL, client: peers.client, credentials: peers.loggerCredentials, logger: logger)
        let notifications = PostgresNotifications(url: configuration.databaseURL, logger: logger)
        let registry = RegistryTokenService(
            database: database,
            issuer: try await RegistryTokenIssuer(
                privateKeyPEM: configuration.registryKey, issuer: configuration.registryIssuer),
            authenticator: authenticator, service: configuration.registryService, host: configuration.registryHost)
        let features = makeFeatures(
            Foundation(
                configuration: configuration, vault: vault, access: access, appLog: appLog,
                notifications: notifications, registry: registry, peers: peers, logger: logger))
        return Controller(
            database: database, notifications: notifications, appLog: appLog, access: access, features: features,
            logger: logger)
    }

    /// The key that seals, and the older ones that still open.
    static func box(_ configuration: ControllerConfiguration) throws -> AESGCMBox {
        let retired = try (configuration.retiredKeys?.reveal() ?? "").split(separator: ",").map {
            try Base64.decode($0)
        }
        return try AESGCMBox(key: try Base64.decode(configuration.platformKey.reveal()), retired: retired)
    }

    /// What the features are built on.
    private struct Foundation {
        let configuration: ControllerConfiguration
        let vault: Vault
        let access: AccessControl
        let appLog: AppLog
        let notifications: PostgresNotifications
        let registry: RegistryTokenService
        let peers: Peers
        let logger: Logger
    }

    private static func makeFeatures(_ base: Foundation) -> Features {
        let (configuration, vault, appLog, peers) = (base.configuration, base.vault, base.appLog, base.peers)
        let database = base.access.database
        let plans = LimitCatalogue.standard
        let configs = ConfigStore(vault: vault)
        let tls = TLSStore(vault: vault)
        let releases = ReleaseService(configs: configs, plans: plans, work: peers.work)
        let processes = ProcessService(database: database, releases: releases, work: peers.work, log: appLog)
        let runs = BuildRunService(database: database, releases: releases, work: peers.work, log: appLog)
        let events = BuildRunEventStream(database: database, notifications: base.notifications)
        let login = LoginService(
            database: database, provider: peers.provider, logins: LoginStore(vault: vault),
            tokens: TokenStore(vault: vault), donePage: configuration.loginDoneURL, logger: base.logger)
        let apps = AppService(
            database: database, foundation: AppFoundation(configs: configs, tls: tls, plans: plans),
            releases: releases, work: peers.work, log: appLog)
        return Features(
            login: LoginRoutes(service: login),
            tokens: TokenRoutes(database: database, tokens: TokenStore(vault: vault)),
            workspaces: WorkspaceRoutes(
                service: WorkspaceService(database: database), registrationPage: configuration.registrationURL),
            apps: AppRoutes(service: apps),
            builds: BuildRoutes(database: database, releases: releases, log: appLog),
            buildRuns: BuildRunRoutes(service: runs, events: events),
            buildRunHooks: BuildRunHookRoutes(
                service: runs, access: HookAccess(database: database),
                orders: BuildOrders(database: database, releases: releases, registry: base.registry), events: events),
            hooks: HookRoutes(database: database, releases: releases, log: appLog),
            config: ConfigRoutes(database: database, releases: releases, configs: configs, plans: plans, log: appLog),
            releases: ReleaseRoutes(database: database, releases: releases, log: appLog),
            pods: PodRoutes(database: database, service: processes),
            ptypes: ProcessTypeRoutes(database: database, service: processes, plans: plans),
            domains: DomainRoutes(database: database, platformDomain: configuration.platformDomain, log: appLog),
            settings: AppSettingsRoutes(database: database, work: peers.work, log: appLog),
            tls: TLSRoutes(database: database, store: tls, log: appLog),
            registry: RegistryTokenRoutes(service: base.registry),
            routing: RoutingRoutes(
                feed: RoutingFeed(
                    pool: database, notifications: base.notifications,
                    store: RoutingStore(platformDomain: configuration.platformDomain))),
            logs: AppLogRoutes(
                url: configuration.loggerURL, client: peers.client, credentials: peers.loggerCredentials),
            webSockets: WebSocketRoutes(
                access: base.access, logs: PodLogSession(database: database, source: peers.pods),
                commands: PodExecSession(database: database, runner: peers.pods), logger: base.logger))
    }

    /// The routes with everything around them; the catalog knows the policy of each.
    func makeRoutes(metrics: PrometheusMetrics? = nil, drain: DrainSignal? = nil) -> RouteCatalog {
        let router = Router(context: ControllerContext.self)
        router.add(middleware: VersionHeadersMiddleware())
        router.add(middleware: AccessLogMiddleware())
        router.add(middleware: HTTPMetricsMiddleware())
        router.add(middleware: RefusalMiddleware())
        let database = database
        HealthRoutes(
            checks: [
                ReadinessCheck("database") { try await database.ping() },
                ReadinessCheck("schema") {
                    let missing = try await Migrator(
                        migrations: ControllerMigrations.all, lockKey: ControllerMigrations.lockKey
                    ).missing(in: database)
                    guard missing.isEmpty else { throw SchemaIncomplete(missing: missing) }
                },
            ], metrics: metrics, drain: drain
        ).addRoutes(to: router)
        let routes = RouteCatalog(router: router, access: access)
        features.login.addRoutes(to: routes)
        features.tokens.addRoutes(to: routes)
        KeyRoutes(database: database).addRoutes(to: routes)
        LimitRoutes(catalogue: .standard).addRoutes(to: routes)
        features.workspaces.addRoutes(to: routes)
        features.apps.addRoutes(to: routes)
        features.builds.addRoutes(to: routes)
        features.buildRuns.addRoutes(to: routes)
        features.buildRunHooks.addRoutes(to: routes)
        features.hooks.addRoutes(to: routes)
        features.config.addRoutes(to: routes)
        features.releases.addRoutes(to: routes)
        features.pods.addRoutes(to: routes)
        features.ptypes.addRoutes(to: routes)
        features.domains.addRoutes(to: routes)
        ServicePortRoutes(database: database).addRoutes(to: routes)
        features.settings.addRoutes(to: routes)
        features.tls.addRoutes(to: routes)
        features.registry.addRoutes(to: routes)
        features.routing.addRoutes(to: routes)
        features.logs.addRoutes(to: routes)
        routes.finish()
        return routes
    }

    /// The HTTP server with its websockets.
    func makeServer(
        listen: ListenAddress, metrics: PrometheusMetrics?, drain: DrainSignal?,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> some Service {
        let webSockets = features.webSockets
        return HTTPService(
            router: makeRoutes(metrics: metrics, drain: drain).router, listen: listen,
            server: .webSocket { request in try await webSockets.decide(request) }, logger: logger,
            onRunning: onRunning)
    }
}

/// The database lacks migrations this program needs.
struct SchemaIncomplete: Error {
    let missing: [Int]
}

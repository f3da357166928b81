import FoundationEssentials
import Hummingbird
import Logging
import MetricsExposition
import OpenSSLCrypto
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceLifecycle
import ServiceRuntime

/// The parts of a running passport, before they are given to a server or a test.
struct Passport {
    let router: Router<PassportContext>
    let keyRing: KeyRing
    let housekeeping: Housekeeping
    let inspection: TokenInspection

    /// Brings schema, clients and keys up to date and builds the graph.
    init(
        configuration: PassportConfiguration, pool: PostgresPool, logger: Logger, metrics: PrometheusMetrics? = nil,
        drain: DrainSignal? = nil, passwords: PasswordHash? = nil, now: @escaping CurrentTime = { Date() }
    ) async throws {
        try await Migrator(migrations: Migrations.all, lockKey: Migrations.lockKey).run(pool, logger: logger)
        if let file = configuration.clientsFile {
            try await ClientSeeds(file: file).save(in: pool, at: now())
        }
        let platformKey = try Base64.decode(configuration.platformKey.reveal())
        let keyStore = SigningKeyStore(box: try AESGCMBox(key: platformKey))
        keyRing = try await KeyRing(store: keyStore, pool: pool, logger: logger, now: now)
        housekeeping = Housekeeping(pool: pool, logger: logger, now: now)
        let passwords =
            passwords
            ?? PasswordHash(threads: configuration.passwordThreads, queueLimit: configuration.passwordQueue)
        let graph = try PassportGraph(
            configuration: configuration, pool: pool, keys: keyRing,
            protection: FormProtection(platformKey: platformKey), passwords: passwords, now: now)
        inspection = graph.inspection
        router = graph.makeRouter(
            health: HealthRoutes(
                checks: [ReadinessCheck("database") { try await pool.ping() }], metrics: metrics, drain: drain))
    }
}

/// The object graph, in reading order.
private struct PassportGraph {
    let configuration: PassportConfiguration
    let pool: PostgresPool
    let keys: KeyRing
    let pages: Pages
    let browser: Browser
    let clients: ClientDirectory
    let limiter: RateLimiter
    let authenticator: Authenticator
    let inspection: TokenInspection
    let address: ClientAddress
    let now: CurrentTime

    init(
        configuration: PassportConfiguration, pool: PostgresPool, keys: KeyRing, protection: FormProtection,
        passwords: PasswordHash, now: @escaping CurrentTime
    ) throws {
        let cookies = Cookies(isSecure: configuration.issuer.isSecure)
        self.configuration = configuration
        self.pool = pool
        self.keys = keys
        self.now = now
        pages = try Pages(cookies: cookies, protection: protection)
        browser = Browser(
            pool: pool, cookies: cookies, protection: protection, lifetimes: configuration.lifetimes, now: now)
        clients = ClientDirectory(pool: pool)
        limiter = RateLimiter(pool: pool, now: now)
        authenticator = Authenticator(pool: pool, hash: passwords, limiter: limiter, now: now)
        inspection = TokenInspection(pool: pool, issuer: configuration.issuer, keys: keys, now: now)
        address = ClientAddress(trustedProxies: configuration.trustedProxies)
    }

    func makeRouter(health: HealthRoutes) -> Router<PassportContext> {
        let router = Router(context: PassportContext.self)
        router.add(middleware: AccessLogMiddleware())
        router.add(middleware: HTTPMetricsMiddleware())
        router.add(middleware: SecurityHeadersMiddleware(isSecure: configuration.issuer.isSecure))
        router.add(middleware: PageErrorMiddleware(pages: pages))
        router.add(middleware: ErrorReportingMiddleware())
        health.addRoutes(to: router)
        addTokenRoutes(to: router)
        addPageRoutes(to: router)
        return router
    }

    private func addTokenRoutes(to router: Router<PassportContext>) {
        let authentication = ClientAuthentication(clients: clients)
        let mint = TokenMint(
            issuer: configuration.issuer, keys: keys, lifetimes: configuration.lifetimes, now: now)
        let grants = TokenGrants(
            pool: pool, mint: mint, authenticator: authenticator, lifetimes: configuration.lifetimes, now: now)
        TokenRoutes(authentication: authentication, grants: grants).addRoutes(to: router)
        InspectionRoutes(authentication: authentication, inspection: inspection, issuer: configuration.issuer)
            .addRoutes(to: router)
        UserInfoRoutes(inspection: inspection).addRoutes(to: router)
        DiscoveryRoutes(issuer: configuration.issuer, keys: keys).addRoutes(to: router)
    }

    private func addPageRoutes(to router: Router<PassportContext>) {
        AuthorizeRoutes(
            browser: browser, pages: pages, pool: pool, clients: clients, inspection: inspection,
            issuer: configuration.issuer, lifetimes: configuration.lifetimes, now: now
        ).addRoutes(to: router)
        LogoutRoutes(browser: browser, pages: pages, clients: clients, inspection: inspection).addRoutes(to: router)
        SignInRoutes(
            browser: browser, pages: pages, authenticator: authenticator, clients: clients, address: address,
            registration: configuration.registration
        ).addRoutes(to: router)
        RegistrationRoutes(
            policy: configuration.registration, browser: browser, pages: pages, pool: pool,
            authenticator: authenticator, limiter: limiter, address: address, now: now
        ).addRoutes(to: router)
        AccountRoutes(
            browser: browser, pages: pages, pool: pool, authenticator: authenticator, address: address, now: now
        ).addRoutes(to: router)
    }
}

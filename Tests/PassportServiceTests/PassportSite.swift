import ConcurrencyPrimitives
import FoundationEssentials
import Hummingbird
import HummingbirdTesting
import Logging
import OpenSSLCrypto
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceRuntime
import Synchronization
import TestSupport
import Testing

@testable import PassportService

/// Time that moves when a test says so.
final class MovableTime: Sendable {
    private let current = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

    var now: Date { current.withLock { $0 } }

    func advance(by seconds: TimeInterval) { current.withLock { $0 += seconds } }
}

/// A passport on a database of its own, and what a test needs to know about it.
struct PassportSite: Sendable {
    static let issuer = "http://passport.example.test/oauth"
    static let password = "correct horse battery"

    static let clients = """
        [{"id":"controller","secret":"controller-secret-0123","name":"Controller",
          "redirect_uris":["http://drycc.example.test/v2/complete/drycc/"],
          "post_logout_redirect_uris":["http://drycc.example.test/bye"],
          "grants":["authorization_code","refresh_token","password","client_credentials"],
          "scopes":["openid","profile","email","logger:read","introspection"],"first_party":true},
         {"id":"builder","secret":"builder-secret-012345","redirect_uris":[],"grants":["client_credentials"],
          "scopes":["controller:hook"],"first_party":true},
         {"id":"shop","secret":"shop+secret/with:odd %chars","name":"<b>Shop</b>",
          "redirect_uris":["https://shop.test/back","https://shop.test/other?x=1"],
          "grants":["authorization_code","refresh_token"],"scopes":["openid","profile","email"]},
         {"id":"native","name":"Native","redirect_uris":["http://127.0.0.1/back"],"confidential":false,
          "grants":["authorization_code","refresh_token"],"scopes":["openid"],"first_party":true}]
        """

    let database: Secret
    let pool: PostgresPool
    let time: MovableTime
    let keyRing: KeyRing
    let housekeeping: Housekeeping
    let inspection: TokenInspection
    let client: any TestClientProtocol

    /// Adds an account.
    @discardableResult
    func addUser(_ name: String = "ada", isAdministrator: Bool = false) async throws -> User {
        let record = try await Self.hash.create(Self.password)
        let user = NewUser(
            username: name, email: "\(name)@example.test", firstName: "Ada", lastName: "Lovelace",
            isAdministrator: isAdministrator)
        return try await UserStore().add(user, password: record, at: time.now, in: pool)
    }

    func count(_ query: SQL) async throws -> Int { try await pool.query(query).one().decode("count") }

    static let hash = PasswordHash(cost: 4)
}

/// Runs `body` with a passport that has the test clients and no accounts.
func withPassport(
    _ setup: TestingSetup = .router, variables: [String: String] = [:], passwords: PasswordHash? = nil,
    _ body: @escaping @Sendable (PassportSite) async throws -> Void
) async throws {
    try await withPassportDatabase { url in
        let time = MovableTime()
        try await withReplica(
            setup, url: url, time: time, variables: variables, passwords: passwords, body)
    }
}

/// Runs `body` with one more passport on the same database.
func withReplica(
    _ setup: TestingSetup = .router, url: Secret, time: MovableTime, variables: [String: String] = [:],
    passwords: PasswordHash? = nil,
    _ body: @escaping @Sendable (PassportSite) async throws -> Void
) async throws {
    let all = [
        "DATABASE_URL": url.reveal(), "OIDC_ISSUER": PassportSite.issuer,
        "PLATFORM_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ].merging(variables) { _, new in new }
    var reader = ConfigurationReader(variables: all)
    let configuration = PassportConfiguration(reader: &reader)
    try reader.validate()
    let logger = quietLogger()
    let pool = PostgresPool(configuration: .init(url: url, size: 3), logger: logger)
    defer { pool.close() }
    let weak = PasswordHash(
        threads: configuration.passwordThreads, queueLimit: configuration.passwordQueue, cost: 4)
    let passport = try await Passport(
        configuration: configuration, pool: pool, logger: logger, passwords: passwords ?? weak, now: { time.now })
    try await ClientSeeds(json: Data(PassportSite.clients.utf8)).save(in: pool, at: time.now)
    let (keyRing, housekeeping, inspection) = (passport.keyRing, passport.housekeeping, passport.inspection)
    let application = Application(router: passport.router, server: .plain(), logger: logger)
    try await application.test(setup) { client in
        try await body(
            PassportSite(
                database: url, pool: pool, time: time, keyRing: keyRing, housekeeping: housekeeping,
                inspection: inspection, client: client))
    }
}

/// Keeps the request id, which the framework stores as metadata, and writes next to nothing.
private func quietLogger() -> Logger {
    var logger = Logger(label: "test", factory: { StreamLogHandler.standardError(label: $0) })
    logger.logLevel = .critical
    return logger
}

/// Few passports at once, so that the suites together stay below the server's number of connections.
private let slots = KeyedQueue<Int>()
private let turn = Atomic<Int>(0)

/// A database of its own on the real server, gone afterwards.
func withPassportDatabase(_ body: @escaping @Sendable (Secret) async throws -> Void) async throws {
    let slot = turn.add(1, ordering: .relaxed).newValue % 4
    try await slots.withKey(slot) { try await withDatabase(body) }
}

private func withDatabase(_ body: @Sendable (Secret) async throws -> Void) async throws {
    let server = try TestEnvironment.requirePostgres()
    let logger = quietLogger()
    let administrator = PostgresPool(configuration: .init(url: Secret(server), size: 1), logger: logger)
    let name = "passport_" + UUID().uuidString.lowercased().prefix(13)
    try await administrator.execute("CREATE DATABASE \(identifier: name)")
    var components = try #require(URLComponents(string: server))
    components.path = "/" + name
    let url = Secret(try #require(components.string))
    do {
        try await body(url)
    } catch {
        // The error's own description says nothing on purpose.
        Issue.record("\(String(reflecting: error))")
    }
    try await administrator.execute("DROP DATABASE \(identifier: name) WITH (FORCE)")
}

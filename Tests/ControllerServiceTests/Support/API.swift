import AccessTokens
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import OpenSSLCrypto
import PlatformModel
import Postgres
import PostgresTestSupport
import ServiceHTTP
import ServiceRuntime
import Synchronization
import Testing

@testable import ControllerService

/// The whole API over a database of its own, called as clients call it.
struct API: Sendable {
    let client: any TestClientProtocol
    let database: PostgresPool
    let provider: FakeIdentityProvider
    let signingKeys: SigningKeys
    let work: RecordedWork
    let controller: Controller
    let configuration: ControllerConfiguration

    static let issuer = "http://passport.test/oauth"

    /// An answer with its JSON.
    struct Answer {
        let status: Int
        let headers: HTTPFields
        let text: String

        var json: JSONValue {
            get throws { try JSONCoding.decoder.decode(JSONValue.self, from: Data(text.utf8)) }
        }
    }

    @discardableResult
    func call(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", as token: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        var headers = headers
        if headers[.contentType] == nil { headers[.contentType] = "application/json" }
        if let token { headers[.authorization] = token.contains(" ") ? token : "token \(token)" }
        return try await client.execute(
            uri: path, method: method, headers: headers, body: body.isEmpty ? nil : ByteBuffer(string: body)
        ) { response in
            Answer(
                status: response.status.code, headers: response.headers, text: String(buffer: response.body))
        }
    }

    /// A person with a controller token.
    func signUp(_ name: String, id: Int, isStaff: Bool = false) async throws -> String {
        provider.add(UserInfo(id: id, username: name, email: "\(name)@example.com", isStaff: isStaff))
        let login = try await call(
            .post, "/v2/auth/login/", #"{"username":"\#(name)","password":"\#(FakeIdentityProvider.password)"}"#)
        let key = try #require(try login.json["key"]?.stringValue)
        let issued = try await call(.get, "/v2/auth/token/\(key)/?alias=workflow-cli")
        return try #require(try issued.json["token"]?.stringValue)
    }

    /// A bearer token of a machine.
    func machine(_ client: String = "builder", scope: ScopeSet) throws -> String {
        let claims = AccessTokenClaims(
            issuer: Self.issuer, subject: client, clientID: client, scope: scope, audience: "workflow",
            issuedAt: Date(), lifetime: .seconds(60), tokenID: UUID().uuidString)
        return "Bearer \(try signingKeys.accessToken(claims))"
    }

    /// Workspace `acme1` of `ada` with an app `myapp`.
    func makeApp(_ app: String = "myapp", workspace: String = "acme1", as token: String) async throws {
        try await call(.post, "/v2/workspaces", #"{"id":"\#(workspace)","email":"ops@example.com"}"#, as: token)
        let answer = try await call(.post, "/v2/apps/", #"{"id":"\#(app)","workspace":"\#(workspace)"}"#, as: token)
        try #require(answer.status == 201, "\(answer.text)")
    }

    func build(_ app: String = "myapp", image: String = "registry.example.com/team/app:1", as token: String)
        async throws
    {
        let answer = try await call(
            .post, "/v2/apps/\(app)/build/",
            #"{"image":"\#(image)","stack":"container","procfile":{"web":"./server","worker":"./work"}}"#, as: token)
        try #require(answer.status == 201, "\(answer.text)")
    }

    /// What the worker would write once it has deployed the newest release.
    func markDeployed(_ app: String = "myapp", state: Release.State = .succeed) async throws {
        let found = try #require(try await AppStore().find(named: try AppName(app), in: database))
        let newest = try #require(try await ReleaseStore().newest(of: found.uuid, in: database))
        try await ReleaseStore().record(
            .init(state: state, ptypes: ["web"], created: Date(), exception: state == .crashed ? "boom" : nil),
            of: newest.uuid, in: database)
        if let open = try await DeploymentStore().open(of: found.uuid, in: database) {
            _ = try await DeploymentStore().finish(
                open.uuid, state: state == .succeed ? .succeed : .crashed, exception: nil, in: database)
        }
    }
}

/// Tasks that were handed over, in order.
final class RecordedWork: Sendable {
    private let tasks = Mutex<[Work]>([])

    var all: [Work] { tasks.withLock { $0 } }

    func record(_ work: Work) { tasks.withLock { $0.append(work) } }
}

/// Runs `body` with an API over a new database.
///
/// - Parameters:
///   - pods: the engine behind logs of pods and commands in them.
///   - settings: configuration other than usual.
func withAPI<Value: Sendable>(
    pods: (any PodLogSource & PodCommandRunner)? = nil, settings: [String: String] = [:],
    _ body: @Sendable @escaping (API) async throws -> Value
) async throws -> Value {
    try await withScratchDatabase { scratch in
        let database = scratch.pool(size: 3)
        defer { database.close() }
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        try await Migrator(migrations: ControllerMigrations.all, lockKey: ControllerMigrations.lockKey)
            .run(database, logger: logger)
        let configuration = try makeConfiguration(database: scratch.url, more: settings)
        let keys = try await SigningKeys.generate()
        let provider = FakeIdentityProvider()
        let work = RecordedWork()
        let controller = try await Controller.make(
            configuration: configuration, database: database,
            peers: .init(
                provider: provider, verifier: AccessTokenVerifier(keys: keys, issuer: API.issuer),
                client: try HTTPClient(), loggerCredentials: nil,
                work: WorkQueue { task, transaction in
                    try await WorkQueue.outbox.add(task, in: transaction)
                    work.record(task)
                }, pods: pods),
            logger: logger)
        let application = Application(router: controller.makeRoutes().router, logger: logger)
        return try await application.test(.router) { client in
            try await body(
                API(
                    client: client, database: database, provider: provider, signingKeys: keys, work: work,
                    controller: controller, configuration: configuration))
        }
    }
}

func makeConfiguration(database: Secret, more: [String: String] = [:]) throws -> ControllerConfiguration {
    var reader = ConfigurationReader(
        variables: [
            "DATABASE_URL": database.reveal(), "AMQP_URL": "amqp://none", "OIDC_ISSUER": API.issuer,
            "OIDC_CLIENT_SECRET": "s3cret", "PLATFORM_KEY": Base64.encode([UInt8](repeating: 7, count: 32)),
            "REGISTRY_TOKEN_PRIVATE_KEY": try KeyPair.generate(.es256).privatePEM(), "THROTTLE_USER": "0",
            "THROTTLE_ANONYMOUS": "0", "LOGGER_URL": "http://127.0.0.1:1",
        ].merging(more) { $1 })
    let configuration = ControllerConfiguration(reader: &reader)
    try reader.validate()
    return configuration
}

/// The same JSON but for what differs from run to run, which `expected` writes as `"*"`.
func expectJSON(
    _ actual: API.Answer, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let wanted = try JSONCoding.decoder.decode(JSONValue.self, from: Data(expected.utf8))
    let found = mask(try actual.json, like: wanted)
    #expect(found == wanted, "answered \(actual.text)", sourceLocation: sourceLocation)
}

private func mask(_ value: JSONValue, like pattern: JSONValue) -> JSONValue {
    switch (value, pattern) {
    case (.null, _): return value
    case (_, "*"): return "*"
    case (.object(let members), .object(let patterns)):
        return .object(
            Dictionary(
                uniqueKeysWithValues: members.map { key, member in
                    (key, patterns[key].map { mask(member, like: $0) } ?? member)
                }))
    case (.array(let elements), .array(let patterns)) where elements.count == patterns.count:
        return .array(zip(elements, patterns).map { mask($0, like: $1) })
    default: return value
    }
}

func headerName(_ text: String) throws -> HTTPField.Name { try #require(HTTPField.Name(text)) }

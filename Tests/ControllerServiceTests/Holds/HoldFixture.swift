import AccessTokens
import CommandRunner
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import Logging
import OCIRegistry
import OpenSSLCrypto
import PlatformModel
import Postgres
import PostgresTestSupport
import TestSupport
import Testing

@testable import ControllerService

/// The API over a database, the shipped registry beside it, and what holds the images of releases.
///
/// The registry is not started yet. It keeps no image that has no tag, unless somebody holds it.
struct HoldFixture: Sendable {
    let api: API
    let keeper: ImageHoldKeeper
    let notifications: PostgresNotifications
    let host: String
    /// A person with an app `myapp`.
    let owner: String
    private let directory: String
    private let client: HTTPClient
    private let token: Secret

    static let app = "myapp"
    private static let repository = "myapp/myapp"

    static func run(_ body: @escaping @Sendable (HoldFixture) async throws -> Void) async throws {
        let host = "127.0.0.1:\(try freePort())"
        try await withAPI(settings: ["REGISTRY_HOST": host]) { api in
            try await withTemporaryDirectory("holds") { directory in
                try await body(try await HoldFixture(api, host, directory))
            }
        }
    }

    private init(_ api: API, _ host: String, _ directory: String) async throws {
        self.api = api
        self.host = host
        self.directory = directory
        client = try HTTPClient()
        let pair = try KeyPair.generate(.es256)
        let rule = #"[{"repositories":"*","untagged_after":0}]"#
        for (name, text) in [("keys.pem", pair.publicKey.pem), ("rules.json", rule)] {
            try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(name)"))
        }
        let issuer = try await RegistryTokenIssuer(privateKeyPEM: Secret(try pair.privatePEM()))
        token = try issuer.token(
            subject: "test", service: api.configuration.registryService,
            access: [RegistryAccess(name: Self.repository, actions: ["pull", "push"])]
        ).token
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        notifications = PostgresNotifications(url: api.configuration.databaseURL, logger: logger)
        keeper = ImageHoldKeeper(
            pool: api.database, notifications: notifications, holder: WorkerIdentity(),
            registry: RegistryImages(
                host: host, service: api.configuration.registryService, issuer: issuer, client: client),
            logger: logger)
        owner = try await api.signUp("ada", id: 7)
        try await api.makeApp(Self.app, as: owner)
    }

    // MARK: - The registry

    private var settings: [String: String] {
        [
            "PATH": Command.minimalPath, "REGISTRY_LISTEN": host, "REGISTRY_STORAGE": "file://\(directory)/store",
            "REGISTRY_AUTH": "token", "REGISTRY_TOKEN_REALM": "http://127.0.0.1:1/token",
            "REGISTRY_TOKEN_SERVICE": api.configuration.registryService,
            "REGISTRY_TOKEN_ISSUER": api.configuration.registryIssuer,
            "REGISTRY_TOKEN_KEYS": "\(directory)/keys.pem", "REGISTRY_RULES": "\(directory)/rules.json",
            "REGISTRY_COLLECT_INTERVAL": "0", "REGISTRY_COLLECT_GRACE": "1", "REGISTRY_FSYNC": "false",
            "LOG_LEVEL": "error",
        ]
    }

    /// Starts the registry, which runs as long as what is answered is kept.
    func startRegistry() async throws -> ServerProcess {
        let process = try ServerProcess("registry", environment: settings, log: "\(directory)/registry.log")
        try await eventually(within: .seconds(60), "the registry is ready") {
            try await client.send(TransferRequest(url: "http://\(host)/readiness")).status == 200
        }
        return process
    }

    /// Has the registry remove what nothing needs, until `digest` is gone.
    func collect(until digest: ImageDigest) async throws {
        let program = try ServerProcess.path(of: "registry")
        try await eventually(within: .seconds(60), "\(digest) is collected") {
            try await CommandRunner.check(Command(program, ["collect"], environment: settings))
            return try await !hasImage(digest)
        }
    }

    /// Pushes an image that is unlike every other one under a tag.
    func push(_ content: String, tag: String) async throws -> ImageDigest {
        let bytes = Array("{\"comment\":\"\(content)\"}".utf8)
        let blob = ImageDigest(of: bytes)
        let upload = try await send(.post, "blobs/uploads/?digest=\(blob)", bytes)
        try #require(upload.status == 201, "\(upload.text)")
        let type = "application/vnd.oci.image"
        let manifest = Array(
            """
            {"schemaVersion":2,"mediaType":"\(type).manifest.v1+json","config":{"mediaType":"\(type).config.v1+json",\
            "digest":"\(blob)","size":\(bytes.count)},"layers":[]}
            """.utf8)
        let push = try await send(.put, "manifests/\(tag)", manifest, type: "\(type).manifest.v1+json")
        try #require(push.status == 201, "\(push.text)")
        return ImageDigest(of: manifest)
    }

    func hasImage(_ digest: ImageDigest) async throws -> Bool {
        let status = try await send(.get, "manifests/\(digest)").status
        try #require(status == 200 || status == 404)
        return status == 200
    }

    /// The held images and who holds them.
    func holds() async throws -> [ImageDigest: Set<String>] {
        try await keeper.registry.repository(of: try AppName(Self.app)).holders()
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8] = [], type: String = "application/octet-stream"
    ) async throws -> TransferResponse {
        try await client.send(
            TransferRequest(
                method: method, url: "http://\(host)/v2/\(Self.repository)/\(path)",
                headers: [.authorization: "Bearer \(token.reveal())", .contentType: type],
                body: body.isEmpty ? .none : .bytes(body)))
    }

    // MARK: - Releases

    func image(_ digest: ImageDigest) -> String { "\(host)/\(Self.repository)@\(digest)" }

    /// What a builder reports: makes a release of the image.
    func release(_ image: String, _ more: String = "") async throws {
        let body = #"{"receive_user":"ada","receive_repo":"myapp","image":"\#(image)","stack":"container"\#(more)}"#
        let answer = try await api.call(
            .post, "/v2/hooks/build/", body, as: try api.machine(scope: ScopeSet([MachineScope.hook])))
        try #require(answer.status == 200, "\(answer.text)")
    }
}

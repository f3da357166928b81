import CurlTransfer
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import OCIRegistry
import ObjectStorage
import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import TestSupport
import Testing

@testable import RegistryService

/// The storage below a registry that is asked to conform.
enum StorageKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case folder
    case bucket

    /// Both, where there is an S3 server.
    static var available: [Self] { TestEnvironment.hasS3 ? allCases : [.folder] }

    var testDescription: String { rawValue }
}

/// A registry on a port of its own, as clients see it, over empty storage of a kind.
struct ConformanceRegistry: Sendable {
    let base: String
    private let client: HTTPClient

    static func run(
        on kind: StorageKind, limits: RegistryLimits = RegistryLimits(),
        _ body: @escaping @Sendable (ConformanceRegistry) async throws -> Void
    ) async throws {
        switch kind {
        case .folder:
            try await withTemporaryDirectory("conformance") { root in
                let storage = try await FolderStorage(root: root, isDurable: false, threadCount: 4)
                try await serve(storage, limits, body)
            }
        case .bucket:
            try await serve(try await emptyBucket(), limits, body)
        }
    }

    /// Storage below a prefix of the test bucket that nobody else uses.
    static func emptyBucket(grace: Duration = .seconds(3600)) async throws -> BucketStorage {
        let url = try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL")
        let parts = url.split(separator: "?", maxSplits: 1)
        let store = try await S3ObjectStore.open(
            url: "\(parts[0])/\(SecureRandom.hex(8))?\(parts[1])", accessKey: TestEnvironment.s3AccessKey,
            secretKey: Secret(TestEnvironment.s3SecretKey))
        return BucketStorage(store: store, grace: grace)
    }

    private static func serve(
        _ storage: any RegistryStorage, _ limits: RegistryLimits,
        _ body: @escaping @Sendable (ConformanceRegistry) async throws -> Void
    ) async throws {
        let api = RegistryAPI(
            storage: storage, budget: BudgetLedger(storage: storage, rules: CollectionRules()),
            authenticator: OpenAccess(), limits: limits, allowsDeletes: true)
        var logger = Logger(label: "registry")
        logger.logLevel = .critical
        let application = Application(
            responder: RegistryResponder(api, HealthRoutes(checks: [])),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: logger)
        try await application.test(.live) { server in
            let port = try #require(server.port)
            try await body(ConformanceRegistry(base: "http://127.0.0.1:\(port)", client: try HTTPClient()))
        }
    }

    /// Sends a request without any expectation.
    func send(_ call: Call) async throws -> TransferResponse {
        try await client.send(
            TransferRequest(method: call.method, url: base + call.path, headers: call.headers, body: call.body),
            limit: 16 << 20)
    }

    /// Sends a request and checks its status and what every answer must have.
    @discardableResult
    func expect(
        _ status: Int, _ call: Call, at place: SourceLocation = #_sourceLocation
    ) async throws -> TransferResponse {
        let reply = try await send(call)
        let what: Comment = "\(call): \(reply.status) \(reply.text.prefix(300))"
        #expect(reply.status == status, what, sourceLocation: place)
        #expect(reply.headers[.dockerAPIVersion] == "registry/2.0", what, sourceLocation: place)
        if call.method == .head { #expect(reply.body.isEmpty, what, sourceLocation: place) }
        if status >= 400, call.method != .head { #expect(reply.code != nil, what, sourceLocation: place) }
        return reply
    }

    /// Sends a request that is refused, and checks the registered code too.
    @discardableResult
    func expect(
        _ status: Int, _ code: String, _ call: Call, at place: SourceLocation = #_sourceLocation
    ) async throws -> TransferResponse {
        let reply = try await expect(status, call, at: place)
        #expect(reply.code == code, "\(call): \(reply.text.prefix(300))", sourceLocation: place)
        return reply
    }

    /// Pushes a blob by one request.
    @discardableResult
    func push(_ content: [UInt8], to name: String, as algorithm: ImageDigest.Algorithm = .sha256) async throws
        -> ImageDigest
    {
        let digest = ImageDigest(of: content, algorithm: algorithm)
        try await expect(201, .post("/v2/\(name)/blobs/uploads/?digest=\(digest)", body: .bytes(content)))
        return digest
    }

    /// Begins an upload and answers where it goes on.
    func begin(in name: String, _ query: String = "") async throws -> String {
        let reply = try await expect(202, .post("/v2/\(name)/blobs/uploads/\(query)"))
        let location = try #require(reply.headers[.location])
        #expect(location.hasPrefix("/v2/\(name)/blobs/uploads/"))
        #expect(reply.headers[.range] == "0-0")
        return location
    }

    /// The names a list answers.
    func list(_ path: String) async throws -> [String] { try await expect(200, .get(path)).names }
}

/// One request to the registry.
struct Call: Sendable, CustomStringConvertible {
    let method: HTTPRequest.Method
    let path: String
    var headers: HTTPFields = [:]
    var body = TransferBody.none

    static func get(_ path: String, _ headers: HTTPFields = [:]) -> Self {
        Self(method: .get, path: path, headers: headers)
    }
    static func head(_ path: String, _ headers: HTTPFields = [:]) -> Self {
        Self(method: .head, path: path, headers: headers)
    }
    static func delete(_ path: String) -> Self { Self(method: .delete, path: path) }
    static func post(_ path: String, body: TransferBody = .none) -> Self {
        Self(method: .post, path: path, body: body)
    }
    static func put(_ path: String, _ headers: HTTPFields = [:], body: TransferBody = .none) -> Self {
        Self(method: .put, path: path, headers: headers, body: body)
    }
    static func patch(_ path: String, _ headers: HTTPFields = [:], body: TransferBody) -> Self {
        Self(method: .patch, path: path, headers: headers, body: body)
    }

    var description: String { "\(method.rawValue) \(path)" }
}

extension TransferResponse {
    /// The first error code of the body, if it has the form of the specification.
    var code: String? {
        struct Body: Decodable {
            struct Entry: Decodable {
                let code: String
                let message: String
            }
            let errors: [Entry]
        }
        // A body that is no error has no code, which the test then shows.
        return (try? JSONDecoder().decode(Body.self, from: Data(body)))?.errors.first?.code
    }

    /// The tags or repositories of a list.
    var names: [String] {
        struct Body: Decodable {
            let tags: [String]?
            let repositories: [String]?
        }
        // What is no list has no names, which the test then shows.
        let body = try? JSONDecoder().decode(Body.self, from: Data(body))
        return body?.tags ?? body?.repositories ?? []
    }

    /// Where the list goes on.
    var next: String? { headers[.link].map { String($0.dropFirst().prefix { $0 != ">" }) } }
}

extension Array where Element == UInt8 {
    /// Bytes that look random and are the same for the same seed.
    static func sample(_ count: Int, seed: Int) -> Self {
        var state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        // A prime number, so that no cut of a test falls together with it.
        let block = (0..<Swift.min(count, 4099)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        var bytes: Self = []
        bytes.reserveCapacity(count + block.count)
        while bytes.count < count { bytes += block }
        return Array(bytes.prefix(count))
    }
}

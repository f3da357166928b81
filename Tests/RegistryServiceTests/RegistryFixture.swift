import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import OCIRegistry
import OpenSSLCrypto
import ServiceHTTP
import Synchronization
import TestSupport
import Testing

@testable import RegistryService

/// A registry in the process, over a folder that is gone afterwards.
struct RegistryFixture: Sendable {
    let client: any TestClientProtocol
    let storage: FolderStorage
    let root: String
    let collector: Collector
    /// As of a server whose connections take files, which those of the client do not.
    let api: RegistryAPI

    static func run(
        authenticator: any Authenticator = OpenAccess(), limits: RegistryLimits = RegistryLimits(),
        allowsDeletes: Bool = true, rules: CollectionRules = CollectionRules(),
        _ body: @escaping @Sendable (RegistryFixture) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("registry") { root in
            let storage = try await FolderStorage(root: root, isDurable: false, grace: rules.grace, threadCount: 4)
            let budget = BudgetLedger(storage: storage, rules: rules)
            let api = RegistryAPI(
                storage: storage, budget: budget, authenticator: authenticator, limits: limits,
                allowsDeletes: allowsDeletes)
            var logger = Logger(label: "registry")
            logger.logLevel = .critical
            let application = Application(
                responder: RegistryResponder(api, HealthRoutes(checks: [])), logger: logger)
            let collector = Collector(storage: storage, rules: rules, budget: budget, logger: logger)
            var direct = api
            direct.sendsFiles = true
            try await application.test(.router) { [direct] client in
                try await body(
                    RegistryFixture(client: client, storage: storage, root: root, collector: collector, api: direct))
            }
        }
    }

    /// Sends a request and answers status, fields and body text.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:], _ body: String = ""
    ) async throws -> Reply {
        let response = try await client.execute(
            uri: path, method: method, headers: headers,
            body: body.isEmpty ? nil : ByteBuffer(string: body))
        return Reply(
            status: response.status.code, headers: response.headers, body: String(buffer: response.body))
    }

    struct Reply: Sendable {
        let status: Int
        let headers: HTTPFields
        let body: String

        /// The first error code of the body.
        var code: String? {
            struct Body: Decodable {
                struct Entry: Decodable { let code: String }
                let errors: [Entry]
            }
            return (try? JSONDecoder().decode(Body.self, from: Data(body.utf8)))?.errors.first?.code
        }
    }

    /// Lets everything stored look as if nobody had used it for a while.
    func age(by time: Duration) throws {
        let then = Date.now.addingTimeInterval(-time.seconds)
        let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        for path in paths {
            try FileManager.default.setAttributes([.modificationDate: then], ofItemAtPath: "\(root)/\(path)")
        }
    }

    /// Runs a collection and answers what went, or would go, a line each in order.
    @discardableResult
    func collect(isDryRun: Bool = false) async throws -> [String] {
        let items = Mutex<[String]>([])
        _ = try await collector.collect(isDryRun: isDryRun) { item in items.withLock { $0.append("\(item)") } }
        return items.withLock { $0.sorted() }
    }

    /// Pushes a blob by a single request.
    @discardableResult
    func push(_ content: String, to name: String) async throws -> ImageDigest {
        let digest = ImageDigest(of: Array(content.utf8))
        let reply = try await send(.post, "/v2/\(name)/blobs/uploads/?digest=\(digest)", [:], content)
        #expect(reply.status == 201)
        return digest
    }

    /// Pushes an image with one layer and answers the digest of its manifest.
    @discardableResult
    func pushImage(_ layer: String, to name: String, tag: String) async throws -> ImageDigest {
        let manifest = try await imageManifest(layer, in: name)
        let reply = try await send(
            .put, "/v2/\(name)/manifests/\(tag)", [.contentType: OCIRegistry.MediaType.ociManifest.rawValue], manifest)
        #expect(reply.status == 201)
        return ImageDigest(of: Array(manifest.utf8))
    }

    /// Pushes the blobs of an image and answers its manifest.
    func imageManifest(_ layer: String, in name: String, extra: String = "") async throws -> String {
        let config = try await push("{}", to: name)
        let digest = try await push(layer, to: name)
        return """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",\
            "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\(config)","size":2},\
            "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"\(digest)",\
            "size":\(layer.utf8.count)}]\(extra)}
            """
    }
}

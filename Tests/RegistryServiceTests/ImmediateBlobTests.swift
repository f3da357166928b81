import AccessTokens
import CurlTransfer
import Foundation
import HTTPTypes
import NIOCore
import OCIRegistry
import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import TestSupport
import Testing

@testable import RegistryService

/// Blobs answered from memory or the page cache before anything else is asked.
@Suite(.timeLimit(.minutes(1))) struct ImmediateBlobTests {
    /// One that is kept in memory, and one whose file is sent.
    private static let contents = ["content", String(repeating: "0123456789", count: 10_000) + "content"]

    private static func request(
        _ digest: ImageDigest, in name: String = "a", method: HTTPRequest.Method = .get, _ fields: HTTPFields = [:]
    ) -> HTTPRequest {
        HTTPRequest(
            method: method, scheme: "http", authority: "x", path: "/v2/\(name)/blobs/\(digest)", headerFields: fields)
    }

    /// Pushes a blob and asks for it until it is remembered.
    private static func known(
        _ content: String, in registry: RegistryFixture, _ fields: HTTPFields = [:]
    ) async throws -> ImageDigest {
        let digest = ImageDigest(of: Array(content.utf8))
        let pushed = try await registry.send(.post, "/v2/a/blobs/uploads/?digest=\(digest)", fields, content)
        #expect(pushed.status == 201)
        // What has changed a moment ago is not remembered.
        try registry.age(by: .seconds(60))
        #expect(registry.api.answerAtOnce(request(digest, fields)) == nil)
        #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)", fields).body == content)
        return digest
    }

    @Test(arguments: contents)
    func theAnswerIsTheOneOfTheUsualWay(_ content: String) async throws {
        try await RegistryFixture.run { registry in
            let digest = try await Self.known(content, in: registry)
            let answer = try #require(registry.api.answerAtOnce(Self.request(digest)))
            let usual = try await registry.send(.get, "/v2/a/blobs/\(digest)")
            let parts = String(buffer: answer.message).components(separatedBy: "\r\n\r\n")
            let body = content.utf8.count > VisibleBlob.smallSize ? "" : content
            #expect(parts.count == 2 && parts.last == body && usual.status == 200)
            var lines = parts[0].components(separatedBy: "\r\n")
            #expect(lines.removeFirst() == "HTTP/1.1 200 OK")
            let dates = lines.filter { $0.hasPrefix("Date: ") }
            #expect(dates.count == 1)
            var expected = usual.headers
            expected[.date] = nil
            let fields = lines.filter { !dates.contains($0) }
            #expect(fields.sorted() == expected.map { "\($0.name.rawName): \($0.value)" }.sorted())
        }
    }

    /// An answer that is given again has the time at which it is given.
    @Test func theDateMovesOn() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await Self.known("content", in: registry)
            func date() throws -> Substring {
                let answer = try #require(registry.api.answerAtOnce(Self.request(digest)))
                return try #require(String(buffer: answer.message).firstMatch(of: /\r\nDate: ([^\r]+)\r\n/)).1
            }
            let first = try date()
            try await eventually("the date is a later one") { try date() != first }
        }
    }

    @Test(arguments: contents)
    func whatIsGoneOrElsewhereIsNotAnswered(_ content: String) async throws {
        try await RegistryFixture.run { registry in
            let digest = try await Self.known(content, in: registry)
            _ = try await registry.send(.get, "/v2/b/blobs/\(digest)")
            #expect(registry.api.answerAtOnce(Self.request(digest, in: "b")) == nil)
            #expect(registry.api.answerAtOnce(Self.request(digest)) != nil)
            #expect(try await registry.send(.delete, "/v2/a/blobs/\(digest)").status == 202)
            #expect(registry.api.answerAtOnce(Self.request(digest)) == nil)
        }
    }

    @Test func damageIsNotAnswered() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await Self.known("content", in: registry)
            #expect(registry.api.answerAtOnce(Self.request(digest)) != nil)
            try Data("CONTENT".utf8).write(to: URL(filePath: registry.storage.layout.blob(digest)))
            try await eventually("the change shows") { registry.api.answerAtOnce(Self.request(digest)) == nil }
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").status == 404)
        }
    }

    /// The usual way finds out what has become of it.
    @Test(arguments: ["0123456789", String(repeating: "x", count: 100_007)])
    func aFileThatHasChangedIsNotAnswered(_ change: String) async throws {
        try await RegistryFixture.run { registry in
            let digest = try await Self.known(Self.contents[1], in: registry)
            #expect(registry.api.answerAtOnce(Self.request(digest)) != nil)
            try Data(change.utf8).write(to: URL(filePath: registry.storage.layout.blob(digest)))
            #expect(registry.api.answerAtOnce(Self.request(digest)) == nil)
        }
    }

    /// Encrypted connections do not take files.
    @Test func noFileIsSentWhereNoneMayBe() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await Self.known(Self.contents[1], in: registry)
            var api = registry.api
            api.sendsFiles = false
            #expect(api.answerAtOnce(Self.request(digest)) == nil)
            #expect(registry.api.answerAtOnce(Self.request(digest)) != nil)
        }
    }

    @Test(arguments: contents)
    func onlyWhoMayPullIsAnswered(_ content: String) async throws {
        let key = try KeyPair.generate(.es256)
        let issuer = try await RegistryTokenIssuer(privateKeyPEM: Secret(try key.privatePEM()))
        let authenticator = try await TokenAuthenticator(
            .init(
                realm: "http://127.0.0.1:8000/v2/registry/token", service: "workflow-registry",
                issuer: "workflow-controller", keysPath: ""), publicKeys: key.publicKey.pem)
        func bearer(_ name: String, _ actions: String...) throws -> HTTPFields {
            let token = try issuer.token(
                subject: "ada", service: "workflow-registry", access: [RegistryAccess(name: name, actions: actions)])
            return [.authorization: "Bearer \(token.token.reveal())"]
        }
        let (owner, other, pusher) = (try bearer("a", "pull", "push"), try bearer("b", "pull"), try bearer("a", "push"))
        try await RegistryFixture.run(authenticator: authenticator) { registry in
            let digest = try await Self.known(content, in: registry, owner)
            for fields in [other, pusher] {
                // Makes the token known, which says nothing of what it opens.
                #expect(try await registry.send(.get, "/v2/", fields).status == 200)
                #expect(registry.api.answerAtOnce(Self.request(digest, fields)) == nil)
            }
            for fields in [[:], [.authorization: "Bearer x"]] as [HTTPFields] {
                #expect(registry.api.answerAtOnce(Self.request(digest, fields)) == nil)
            }
            #expect(registry.api.answerAtOnce(Self.request(digest, owner)) != nil)
        }
    }

    /// The shipped executable, whose requests are not logged, and what it counts.
    @Test(arguments: contents)
    func theProcessAnswersAndCounts(_ content: String) async throws {
        try await withTemporaryDirectory("immediate") { folder in
            let port = try freePort()
            let registry = try await RegistryProcess(root: folder, port: port, settings: ["LOG_LEVEL": "warning"])
            let digest = try await registry.push(content, to: "a")
            // What has changed a moment ago is not remembered.
            try await Task.sleep(for: .milliseconds(200))
            let connection = try RawConnection(port: port)
            for _ in 0..<5 {
                try connection.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: x\r\n\r\n")
                let answer = try await connection.receive(through: "content")
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\n\(content)"))
            }
            let metrics = try await registry.send(TransferRequest(url: "http://\(registry.address)/metrics")).text
            let count = metrics.firstMatch(
                of: /registry_requests_total\{(?=.*resource="blob")(?=.*method="GET")(?=.*status="200").*\} (\d+)/)
            #expect(count?.1 == "5", "\(metrics)")
            #expect(metrics.contains("registry_blob_sent_bytes_total \(5 * content.utf8.count)"), "\(metrics)")
            // All but the first, which made it known.
            #expect(metrics.contains("registry_blob_remembered_total 4"), "\(metrics)")
            try await registry.stop()
        }
    }
}

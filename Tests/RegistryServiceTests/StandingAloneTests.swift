import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import OpenSSLCrypto
import TestSupport
import Testing

@testable import RegistryService

/// The shipped executable as somebody runs it who has nothing else of the platform.
@Suite(.timeLimit(.minutes(2)))
struct StandingAloneTests {
    @Test func passwordsAndTLSWithoutAnythingElse() async throws {
        try await withTemporaryDirectory("alone") { folder in
            let authority = try CertificateAuthority.create(commonName: "test")
            let server = try authority.issue(names: [.ip([127, 0, 0, 1])])
            let files = [
                "chain.pem": server.chainPEM, "key.pem": server.privateKeyPEM,
                "users": "ada:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n",
            ]
            for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
            let tls = TLSOptions(trust: .pem(authority.certificate.pem))
            let registry = try await RegistryProcess(
                root: folder, port: try freePort(),
                settings: [
                    "REGISTRY_AUTH": "htpasswd:\(folder)/users", "REGISTRY_TLS_CERTIFICATE": "\(folder)/chain.pem",
                    "REGISTRY_TLS_KEY": "\(folder)/key.pem",
                ], tls: tls)
            let base = "https://\(registry.address)/v2"
            let content = [UInt8](repeating: 3, count: 2 << 20)
            let digest = ImageDigest(of: content)
            let right: HTTPFields = [.authorization: "Basic \(Base64.encode("ada:correct horse".utf8))"]
            let wrong: HTTPFields = [.authorization: "Basic \(Base64.encode("ada:wrong".utf8))"]
            for (headers, status) in [(right, 201), (wrong, 401), ([:], 401)] {
                let reply = try await registry.send(
                    TransferRequest(
                        method: .post, url: "\(base)/a/blobs/uploads/?digest=\(digest)", headers: headers,
                        body: .bytes(content), tls: tls))
                #expect(reply.status == status)
            }
            let got = try await registry.send(
                TransferRequest(url: "\(base)/a/blobs/\(digest)", headers: right, tls: tls))
            #expect(got.status == 200 && got.body == content)
            let refused = try await registry.send(TransferRequest(url: "\(base)/a/blobs/\(digest)", tls: tls))
            #expect(refused.status == 401 && refused.headers[.wwwAuthenticate]?.hasPrefix("Basic ") == true)
            await #expect(throws: TransferError.self) {
                _ = try await registry.send(TransferRequest(url: "\(base)/"))
            }
            try await registry.stop()
        }
    }
}

/// The shipped executable over a bucket.
@Suite(.enabled(if: TestEnvironment.hasS3), .timeLimit(.minutes(2)))
struct BucketProcessTests {
    private func settings() throws -> [String: String] {
        let url = try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL")
        let parts = url.split(separator: "?", maxSplits: 1)
        return [
            "REGISTRY_STORAGE": "\(parts[0])/\(SecureRandom.hex(8))?\(parts[1])",
            "STORAGE_ACCESS_KEY": TestEnvironment.s3AccessKey, "STORAGE_SECRET_KEY": TestEnvironment.s3SecretKey,
        ]
    }

    @Test func clientsAreSentToTheServiceForContent() async throws {
        try await withTemporaryDirectory("redirect") { folder in
            let redirecting = try settings().merging(["REGISTRY_REDIRECT": "true"]) { $1 }
            let registry = try await RegistryProcess(root: folder, port: try freePort(), settings: redirecting)
            let content = [UInt8](repeating: 9, count: 6_000_000)
            let digest = ImageDigest(of: content)
            let base = "http://\(registry.address)/v2/a/blobs"
            let pushed = try await registry.send(
                TransferRequest(method: .post, url: "\(base)/uploads/?digest=\(digest)", body: .bytes(content)))
            #expect(pushed.status == 201)
            let head = try await registry.send(TransferRequest(method: .head, url: "\(base)/\(digest)"))
            #expect(head.status == 200 && head.headers[.contentLength] == "6000000")
            let sent = try await registry.send(TransferRequest(url: "\(base)/\(digest)"))
            let target = try #require(sent.headers[.location])
            #expect(sent.status == 307 && sent.body.isEmpty && !target.hasPrefix("http://\(registry.address)"))
            #expect(try await registry.send(TransferRequest(url: target)).body == content)
            let part = try await registry.send(
                TransferRequest(url: "\(base)/\(digest)", headers: [.range: "bytes=10-19"], redirectLimit: 1))
            #expect(part.status == 206 && part.body == Array(content[10..<20]))
            let changed = target.replacing("X-Amz-Expires=900", with: "X-Amz-Expires=9000")
            #expect(changed != target)
            #expect(try await registry.send(TransferRequest(url: changed)).status == 403)
            try await registry.stop()
        }
    }

    @Test func verificationReadsTheBucketAndCollectionEmptiesIt() async throws {
        try await withTemporaryDirectory("bucket") { folder in
            let settings = try settings().merging(["REGISTRY_COLLECT_GRACE": "4"]) { $1 }
            let registry = try await RegistryProcess(root: folder, port: try freePort(), settings: settings)
            let base = "http://\(registry.address)/v2/a/blobs"
            let content = Array("some content".utf8)
            let digest = ImageDigest(of: content)
            let push = TransferRequest(
                method: .post, url: "\(base)/uploads/?digest=\(digest)", body: .bytes(content))
            #expect(try await registry.send(push).status == 201)
            func command(_ arguments: String...) async throws -> CommandResult {
                try await CommandRunner.run(
                    Command(
                        try RegistryProcess.executable().path, arguments,
                        environment: settings.merging(["PATH": Command.minimalPath]) { $1 }))
            }
            let good = try await command("verify")
            #expect(good.exit.isSuccess && good.text.hasPrefix("1 pieces of content, 12 bytes read"))
            let explained = try await command("explain", "\(digest)")
            #expect(explained.text.contains("a: no manifest needs the blob; it goes after the grace period"))
            // Not by HEAD, which tells that somebody needs the blob.
            try await eventually(within: .seconds(60), "the blob is collected") {
                _ = try await command("collect")
                return try await registry.send(TransferRequest(url: "\(base)/\(digest)")).status == 404
            }
            try await registry.stop()
        }
    }
}

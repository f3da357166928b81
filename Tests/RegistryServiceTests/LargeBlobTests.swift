import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import OpenSSLCrypto
import TestSupport
import Testing

@testable import RegistryService

/// Content above a mebibyte: copied to clients on this machine, sent by the kernel to those of other addresses.
@Suite(.timeLimit(.minutes(2))) struct LargeBlobTests {
    /// The second is not the address the client reaches, as if it were of another machine.
    private static let sources = ["127.0.0.1", "127.0.0.2"]

    /// A registry that has the content, and a connection to it.
    private struct Served {
        let registry: RegistryProcess
        let connection: RawConnection
        let content: [UInt8]
        let digest: ImageDigest
        /// Where the content is.
        let file: String
    }

    private static func serve(to source: String, _ body: (Served) async throws -> Void) async throws {
        try await withTemporaryDirectory("large") { folder in
            let port = try freePort()
            let registry = try await RegistryProcess(root: folder, port: port)
            let content = SecureRandom.bytes(18_000_000)
            let digest = ImageDigest(of: content)
            let url = "http://\(registry.address)/v2/a/blobs/uploads/?digest=\(digest)"
            let push = TransferRequest(method: .post, url: url, body: .bytes(content))
            #expect(try await registry.send(push).status == 201)
            try await body(
                Served(
                    registry: registry, connection: RawConnection(port: port, from: source), content: content,
                    digest: digest, file: StorageLayout(root: "\(folder)/store").blob(digest)))
            try await registry.stop()
        }
    }

    private static func request(_ digest: ImageDigest, _ fields: String = "") -> String {
        "GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
    }

    @Test(arguments: sources)
    func allOfItArrivesInOrder(_ source: String) async throws {
        try await Self.serve(to: source) { served in
            let (connection, digest) = (served.connection, served.digest)
            // One behind the other, so that a byte too many or too few of one shows in the next.
            let part = 999_999..<9_000_001
            let range = "Range: bytes=\(part.lowerBound)-\(part.upperBound - 1)\r\n"
            try connection.send(Self.request(digest) + Self.request(digest, range) + Self.request(digest))
            var received: [UInt8] = []
            for expected in [served.content[...], served.content[part], served.content[...]] {
                var blank = received.firstRange(of: Array("\r\n\r\n".utf8))
                while blank == nil {
                    received += try await connection.receive()
                    blank = received.firstRange(of: Array("\r\n\r\n".utf8))
                }
                let head = try #require(blank).upperBound
                while received.count < head + expected.count {
                    let more = try await connection.receive()
                    try #require(!more.isEmpty)
                    received += more
                }
                let end = head + expected.count
                #expect(ImageDigest(of: Array(received[head..<end])) == ImageDigest(of: Array(expected)))
                received.removeFirst(end)
            }
        }
    }

    /// What is left of the file is sent, then the connection ends, and nothing else waits for it.
    @Test(arguments: sources)
    func aFileThatBecomesShorterEndsTheConnection(_ source: String) async throws {
        try await Self.serve(to: source) { served in
            try served.connection.send(Self.request(served.digest))
            var count = try await served.connection.receive().count
            #expect(truncate(served.file, 15 << 20) == 0)
            while true {
                let bytes = try await served.connection.receive()
                guard !bytes.isEmpty else { break }
                count += bytes.count
            }
            #expect(count < served.content.count)
            let base = TransferRequest(url: "http://\(served.registry.address)/v2/")
            #expect(try await served.registry.send(base).status == 200)
        }
    }
}

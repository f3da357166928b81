import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import OpenSSLCrypto
import TestSupport
import Testing

@testable import RegistryService

/// The memory of the shipped executable while many clients transfer more than it may hold.
@Suite(.timeLimit(.minutes(5)))
struct MemoryTests {
    private static let clients = 40
    private static let content = [UInt8](repeating: 5, count: 16 << 20)
    /// Far below what the clients are sent or send, far above what a registry needs that does nothing.
    private static let limit = 200 << 20

    /// All read in turns, so that each is slower than the registry.
    @Test(arguments: [false, true])
    func slowClientsThatPullTakeLittleMemory(_ usesTLS: Bool) async throws {
        try await withTemporaryDirectory("memory") { folder in
            let (settings, tls) = try usesTLS ? Self.certificate(in: folder) : ([:], TLSOptions())
            let registry = try await RegistryProcess(
                root: folder, port: try freePort(), settings: settings, tls: usesTLS ? tls : nil)
            let base = "http\(usesTLS ? "s" : "")://\(registry.address)/v2/a/blobs"
            let digest = ImageDigest(of: Self.content)
            let push = TransferRequest(
                method: .post, url: "\(base)/uploads/?digest=\(digest)", body: .bytes(Self.content), tls: tls)
            #expect(try await registry.send(push).status == 201)
            let pull = TransferRequest(url: "\(base)/\(digest)", tls: tls, timeout: nil)
            #expect(try await Self.pullInTurns(pull) == Array(repeating: digest, count: Self.clients))
            #expect(try Self.peak(of: registry.process) < Self.limit)
            try await registry.stop()
        }
    }

    @Test func clientsThatPushTakeLittleMemory() async throws {
        try await withTemporaryDirectory("memory") { folder in
            let registry = try await RegistryProcess(
                root: folder, port: try freePort(), settings: ["REGISTRY_FSYNC": "false"])
            let digest = ImageDigest(of: Self.content)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<Self.clients {
                    let url = "http://\(registry.address)/v2/a\(number)/blobs/uploads/?digest=\(digest)"
                    group.addTask {
                        let push = TransferRequest(method: .post, url: url, body: .bytes(Self.content), timeout: nil)
                        return try await registry.send(push).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 201, count: Self.clients))
            #expect(try Self.peak(of: registry.process) < Self.limit)
            try await registry.stop()
        }
    }

    /// Pulls with all clients at once, a chunk of each in turn, and answers the digests of what they got.
    private static func pullInTurns(_ request: TransferRequest) async throws -> [ImageDigest] {
        let client = try HTTPClient()
        var bodies: [TransferChunks.AsyncIterator] = []
        for _ in 0..<clients { bodies.append(try await client.stream(request).body.makeAsyncIterator()) }
        let hashes = bodies.map { _ in SHA256Digest() }
        var reading = Set(bodies.indices)
        while !reading.isEmpty {
            for index in reading.sorted() {
                guard let chunk = try await bodies[index].next() else {
                    reading.remove(index)
                    continue
                }
                hashes[index].update(chunk)
            }
        }
        return hashes.map { ImageDigest(sha256: $0) }
    }

    /// The most memory a process has had, in bytes.
    private static func peak(of process: ProcessIdentity) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) << 10
    }

    private static func certificate(in folder: String) throws -> ([String: String], TLSOptions) {
        let authority = try CertificateAuthority.create(commonName: "test")
        let server = try authority.issue(names: [.ip([127, 0, 0, 1])])
        for (name, text) in ["chain.pem": server.chainPEM, "key.pem": server.privateKeyPEM] {
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
        }
        let settings = [
            "REGISTRY_TLS_CERTIFICATE": "\(folder)/chain.pem", "REGISTRY_TLS_KEY": "\(folder)/key.pem",
        ]
        return (settings, TLSOptions(trust: .pem(authority.certificate.pem)))
    }
}

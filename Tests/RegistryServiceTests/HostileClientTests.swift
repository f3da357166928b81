import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// The shipped executable and clients that are slow, greedy or odd.
@Suite(.timeLimit(.minutes(2)))
struct HostileClientTests {
    private static func withRegistry(
        _ settings: [String: String] = [:], _ body: (RegistryProcess, Int) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("hostile") { folder in
            let port = try freePort()
            let registry = try await RegistryProcess(root: folder, port: port, settings: settings)
            try await body(registry, port)
            try await registry.stop()
        }
    }

    /// A body behind the answer to a HEAD would be taken for the answer to the next request of the connection.
    @Test(arguments: ["info", "warning"])
    func answersToHeadHaveNoBody(_ logLevel: String) async throws {
        try await Self.withRegistry(["LOG_LEVEL": logLevel]) { registry, port in
            let digest = try await registry.push("content", to: "a")
            let missing = ImageDigest(of: [1])
            let connection = try RawConnection(port: port)
            for (path, status) in [
                ("/v2/a/blobs/\(digest)", 200), ("/v2/a/blobs/\(missing)", 404), ("/v2/a/blobs/sha256:x", 400),
                ("/v2/a/manifests/none", 404), ("/v2/a/manifests/\(missing)", 404), ("/v2/", 200), ("/v2/x/y/z", 404),
                ("/v2/a/tags/list", 200), ("/v2/none/tags/list", 404), ("/v2/_catalog", 200),
                ("/v2/a/referrers/\(missing)", 200), ("/v2/a/blobs/uploads/", 405),
            ] {
                try connection.send("HEAD \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                let head = try await connection.receive(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 \(status) "), "\(path): \(head)")
                #expect(head.components(separatedBy: "\r\n\r\n").count == 2, "\(path): \(head)")
                // The next answer begins where the last one ended.
                try connection.send("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await connection.receive(through: "\r\n\r\n{}").hasPrefix("HTTP/1.1 200 "), "\(path)")
            }
        }
    }

    @Test func methodsNobodyUsesAreRefusedAndMakeNoMetricsOfTheirOwn() async throws {
        try await Self.withRegistry { registry, _ in
            for name in ["PROPFIND", "PURGE", "LINK"] {
                let method = try #require(HTTPRequest.Method(name))
                let reply = try await registry.send(
                    TransferRequest(method: method, url: "http://\(registry.address)/v2/"))
                #expect(reply.status == 405 && reply.headers[.allow] == "GET, HEAD")
            }
            let metrics = try await registry.send(TransferRequest(url: "http://\(registry.address)/metrics")).text
            let methods = metrics.matches(of: /registry_requests_total\{.*method="([^"]+)".*status="405"/).map(\.1)
            #expect(methods == ["other"], "\(metrics)")
        }
    }

    @Test func connectionsThatSendNothingWholeAreEndedAndDisturbNobody() async throws {
        try await Self.withRegistry(["REGISTRY_IDLE_TIMEOUT": "1"]) { registry, port in
            let begun = try await registry.send(
                TransferRequest(method: .post, url: "http://\(registry.address)/v2/a/blobs/uploads/"))
            let location = try #require(begun.headers[.location])
            let slow = try (0..<100).map { number in
                let connection = try RawConnection(port: port)
                try connection.send(
                    number % 2 == 0
                        ? "GET /v2/ HTTP/1.1\r\nHost:" : "PATCH \(location) HTTP/1.1\r\nContent-Length: 99\r\n\r\nfew")
                return connection
            }
            let reply = try await registry.send(TransferRequest(url: "http://\(registry.address)/v2/"))
            #expect(reply.status == 200)
            for connection in slow {
                // Some are told that the upload is in use; all are ended.
                var bytes = try await connection.receive()
                while !bytes.isEmpty { bytes = try await connection.receive() }
            }
            try await eventually("the upload is free again, with what it got") {
                let status = try await registry.send(
                    TransferRequest(url: "http://\(registry.address)\(location)"))
                return status.status == 204 && status.headers[.range] == "0-2"
            }
        }
    }

    @Test func anOversizedManifestIsRefused() async throws {
        try await Self.withRegistry { registry, _ in
            let url = "http://\(registry.address)/v2/a/manifests/v1"
            let reply = try await registry.send(
                TransferRequest(
                    method: .put, url: url, headers: [.contentType: OCIRegistry.MediaType.ociManifest.rawValue],
                    body: .bytes([UInt8](repeating: UInt8(ascii: " "), count: (4 << 20) + 1))))
            #expect(reply.status == 413)
            #expect(String(decoding: reply.body, as: UTF8.self).contains("MANIFEST_INVALID"))
            #expect(try await registry.send(TransferRequest(url: url)).status == 404)
        }
    }

    @Test func manyLargePushesAtOnceNeedLittleMemory() async throws {
        try await Self.withRegistry(["REGISTRY_FSYNC": "false"]) { registry, _ in
            let base = "http://\(registry.address)/v2/a/blobs/uploads/"
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        let content = [UInt8](repeating: UInt8(number), count: 16 << 20)
                        let begun = try await registry.send(TransferRequest(method: .post, url: base))
                        let location = try #require(begun.headers[.location])
                        let end = try await registry.send(
                            TransferRequest(
                                method: .put,
                                url: "http://\(registry.address)\(location)?digest=\(ImageDigest(of: content))",
                                body: .bytes(content)))
                        #expect(end.status == 201)
                    }
                }
                try await group.waitForAll()
            }
            let status = try String(contentsOfFile: "/proc/\(registry.process.pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            let kilobytes = try #require(Int(line.filter(\.isNumber)))
            #expect(kilobytes < 200 << 10, "peak memory \(kilobytes) KiB")
        }
    }
}

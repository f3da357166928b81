import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// The shipped executable, killed at bad moments.
@Suite(.timeLimit(.minutes(1)))
struct RestartTests {
    @Test func anUploadSurvivesKillAndIsFinishedAfterwards() async throws {
        try await withTemporaryDirectory("restart") { folder in
            let port = try freePort()
            let content = [UInt8](repeating: 7, count: 3_000_000) + [UInt8](repeating: 9, count: 2_000_000)
            let digest = ImageDigest(of: content)
            var registry = try await RegistryProcess(root: folder, port: port)
            let base = "http://\(registry.address)"
            let begun = try await registry.send(TransferRequest(method: .post, url: "\(base)/v2/a/b/blobs/uploads/"))
            let location = try #require(begun.headers[.location])
            // The rest of this chunk never comes: the registry dies while it waits for it.
            let (stream, source) = AsyncStream<[UInt8]>.makeStream()
            source.yield(Array(content[..<3_000_000]))
            let interrupted = Task { [registry] in
                try await registry.send(
                    TransferRequest(method: .patch, url: base + location, body: .stream(stream)))
            }
            try await eventually("a part of the chunk is on the disk") {
                let data = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/store/uploads").first
                let path = "\(folder)/store/uploads/\(data ?? "")/data"
                return (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0) >= 1 << 20
            }
            try await registry.kill()
            source.finish()
            await #expect(throws: (any Error).self) { _ = try await interrupted.value }
            registry = try await RegistryProcess(root: folder, port: port)
            let status = try await registry.send(TransferRequest(url: base + location))
            let last = try #require(status.headers[.range].flatMap { Int($0.dropFirst(2)) })
            #expect(status.status == 204 && last >= (1 << 20) - 1 && last < 3_000_000)
            let end = try await registry.send(
                TransferRequest(
                    method: .put, url: "\(base)\(location)?digest=\(digest)",
                    body: .bytes(Array(content[(last + 1)...]))))
            #expect(end.status == 201)
            let got = try await registry.send(TransferRequest(url: "\(base)/v2/a/b/blobs/\(digest)"))
            #expect(got.body == content)
            try await registry.stop()
        }
    }

    @Test func whatWasConfirmedIsThereAfterKill() async throws {
        try await withTemporaryDirectory("restart") { folder in
            let port = try freePort()
            var registry = try await RegistryProcess(root: folder, port: port)
            let base = "http://\(registry.address)"
            var digests: [ImageDigest] = []
            for number in 0..<20 {
                let content = Array("blob \(number)".utf8)
                let digest = ImageDigest(of: content)
                let reply = try await registry.send(
                    TransferRequest(
                        method: .post, url: "\(base)/v2/a/blobs/uploads/?digest=\(digest)", body: .bytes(content)))
                #expect(reply.status == 201)
                digests.append(digest)
            }
            try await registry.kill()
            registry = try await RegistryProcess(root: folder, port: port)
            for digest in digests {
                let head = try await registry.send(
                    TransferRequest(method: .head, url: "\(base)/v2/a/blobs/\(digest)"))
                #expect(head.status == 200)
            }
            try await registry.stop()
            let verify = try await CommandRunner.check(
                Command(
                    try RegistryProcess.executable().path, ["verify"],
                    environment: ["REGISTRY_STORAGE": "file://\(folder)/store"]))
            #expect(verify.text.hasPrefix("20 pieces of content"))
        }
    }

    @Test func aClientThatGoesAwayLeavesWhatItSent() async throws {
        try await withTemporaryDirectory("away") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let base = "http://\(registry.address)"
            let begun = try await registry.send(TransferRequest(method: .post, url: "\(base)/v2/a/blobs/uploads/"))
            let location = try #require(begun.headers[.location])
            let (stream, source) = AsyncStream<[UInt8]>.makeStream()
            source.yield([UInt8](repeating: 1, count: 100_000))
            let sending = Task {
                try await registry.send(
                    TransferRequest(method: .patch, url: base + location, body: .stream(stream)))
            }
            try await eventually("the upload is in use") {
                try await registry.send(TransferRequest(url: base + location)).status == 416
            }
            sending.cancel()
            source.finish()
            _ = try? await sending.value  // Only its end matters here.
            try await eventually("the upload is free again") {
                try await registry.send(TransferRequest(url: base + location)).status == 204
            }
            try await registry.stop()
        }
    }

    @Test func badConfigurationIsToldInOneLine() async throws {
        let result = try await CommandRunner.run(
            Command(
                try RegistryProcess.executable().path,
                environment: ["REGISTRY_STORAGE": "relative", "REGISTRY_LISTEN": "nowhere", "REGISTRY_AUTH": "token"]))
        #expect(!result.exit.isSuccess)
        #expect(result.errorText.split(separator: "\n").count == 1)
        for key in ["REGISTRY_STORAGE", "REGISTRY_LISTEN", "REGISTRY_TOKEN_REALM", "REGISTRY_TOKEN_KEYS"] {
            #expect(result.errorText.contains(key))
        }
    }
}

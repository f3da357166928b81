import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// Content that changes on the disk behind the registry's back.
@Suite(.timeLimit(.minutes(2)))
struct DamageTests {
    private func spoil(_ path: String) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: 5)
        try file.write(contentsOf: Data("?".utf8))
        try file.close()
    }

    @Test(arguments: ["", "bytes=0-3"])
    func damagedContentIsUnknownAndAPushRepairsIt(_ range: String) async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("a small blob", to: "a")
            try spoil(registry.storage.layout.blob(digest))
            let fields: HTTPFields = range.isEmpty ? [:] : [.range: range]
            for _ in 0..<2 {
                let reply = try await registry.send(.get, "/v2/a/blobs/\(digest)", fields)
                #expect(reply.status == 404 && reply.code == "BLOB_UNKNOWN")
            }
            #expect(try await registry.send(.head, "/v2/a/blobs/\(digest)").status == 404)
            try await registry.push("a small blob", to: "a")
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").body == "a small blob")
        }
    }

    @Test func aPushRepairsWhatNobodyHasNoticed() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.pushImage("layer", to: "a", tag: "v1")
            let layer = ImageDigest(of: Array("layer".utf8))
            for content in [digest, layer] { try spoil(registry.storage.layout.blob(content)) }
            try await registry.pushImage("layer", to: "a", tag: "v1")
            #expect(try await registry.send(.get, "/v2/a/manifests/v1").status == 200)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(layer)").body == "layer")
            #expect(try StorageVerification(layout: registry.storage.layout).run().isGood)
        }
    }

    @Test func aLargeDamagedBlobNeverArrivesWhole() async throws {
        try await withTemporaryDirectory("damage") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let content = [UInt8](repeating: 7, count: 5 << 20)
            let digest = ImageDigest(of: content)
            let base = "http://\(registry.address)/v2/a/blobs"
            let push = TransferRequest(
                method: .post, url: "\(base)/uploads/?digest=\(digest)", body: .bytes(content))
            #expect(try await registry.send(push).status == 201)
            try spoil(StorageLayout(root: "\(folder)/store").blob(digest))
            await #expect(throws: TransferError.self) {
                _ = try await registry.send(TransferRequest(url: "\(base)/\(digest)"))
            }
            #expect(try await registry.send(TransferRequest(url: "\(base)/\(digest)")).status == 404)
            let metrics = try await registry.send(TransferRequest(url: "http://\(registry.address)/metrics"))
            #expect(
                String(decoding: metrics.body, as: UTF8.self).contains("registry_blob_damaged 2")
                    || String(decoding: metrics.body, as: UTF8.self).contains("registry_blob_damaged_total 2"))
            let report = try await CommandRunner.run(
                Command(
                    try RegistryProcess.executable().path, ["verify"],
                    environment: ["REGISTRY_STORAGE": "file://\(folder)/store"]))
            #expect(!report.exit.isSuccess && report.text.contains("a: blob \(digest) is missing or damaged"))
            #expect(try await registry.send(push).status == 201)
            #expect(try await registry.send(TransferRequest(url: "\(base)/\(digest)")).body == content)
            try await registry.stop()
        }
    }
}

/// The shipped executable, killed again and again while it takes pushes and collects.
@Suite(.timeLimit(.minutes(5)))
struct CrashRoundsTests {
    @Test func nothingIsLostOrLeftByCrashes() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let script = root.appending(path: "scripts/registry-crash-rounds").path
        let result = try await CommandRunner.run(
            Command(
                "/usr/bin/python3",
                [script, "--registry", try RegistryProcess.executable().path, "--rounds", "8", "--pushers", "3"],
                environment: ["PATH": Command.minimalPath, "TMPDIR": NSTemporaryDirectory()], outputLimit: 1 << 20,
                deadline: .seconds(240)))
        #expect(result.exit.isSuccess, "\(result.text) \(result.errorText)")
    }
}

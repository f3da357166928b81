import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// The shipped executable on a file system of its own that runs full.
@Suite(.enabled(if: TestEnvironment.isRequired || geteuid() == 0, "mounting needs root"), .timeLimit(.minutes(2)))
struct FullDiskTests {
    @Test func aFullDiskIsToldAndHarmsNothing() async throws {
        try await withTemporaryDirectory("full") { folder in
            _ = try await CommandRunner.check(
                Command("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=12m", "registry-test", folder]))
            do {
                try await fill(folder)
            } catch {
                // The failure is the one to report; the folder goes with the unmounting.
                _ = try? await CommandRunner.run(Command("/usr/bin/umount", ["-l", folder]))
                throw error
            }
            _ = try await CommandRunner.check(Command("/usr/bin/umount", ["-l", folder]))
        }
    }

    private func fill(_ folder: String) async throws {
        let registry = try await RegistryProcess(
            root: folder, port: try freePort(), settings: ["REGISTRY_COLLECT_GRACE": "1"])
        let base = "http://\(registry.address)/v2/a/blobs"
        var stored: [ImageDigest] = []
        var refused: TransferResponse?
        for number in 0..<20 {
            let content = [UInt8](repeating: UInt8(number), count: 1_500_000)
            let digest = ImageDigest(of: content)
            let reply = try await registry.send(
                TransferRequest(method: .post, url: "\(base)/uploads/?digest=\(digest)", body: .bytes(content)))
            guard reply.status == 201 else {
                refused = reply
                break
            }
            stored.append(digest)
        }
        let reply = try #require(refused)
        #expect(reply.status == 507 && stored.count >= 4)
        #expect(String(decoding: reply.body, as: UTF8.self).contains("no space left"))
        for digest in stored {
            #expect(try await registry.send(TransferRequest(url: "\(base)/\(digest)")).status == 200)
        }
        #expect(try StorageVerification(layout: StorageLayout(root: "\(folder)/store")).run().isGood)
        // Deleting works on a full disk, and what it frees can be used.
        for digest in stored {
            let gone = try await registry.send(TransferRequest(method: .delete, url: "\(base)/\(digest)"))
            #expect(gone.status == 202)
        }
        let again = [UInt8](repeating: 77, count: 1_500_000)
        try await eventually("a collection made room") {
            _ = try await CommandRunner.check(
                Command(
                    try RegistryProcess.executable().path, ["collect"],
                    environment: ["REGISTRY_STORAGE": "file://\(folder)/store"]))
            return try await registry.send(
                TransferRequest(
                    method: .post, url: "\(base)/uploads/?digest=\(ImageDigest(of: again))", body: .bytes(again))
            ).status == 201
        }
        let metrics = try await registry.send(TransferRequest(url: "http://\(registry.address)/metrics"))
        let text = String(decoding: metrics.body, as: UTF8.self)
        for name in ["registry_storage_bytes{class=\"blob\"}", "registry_collection_removed"] {
            #expect(text.contains(name), "\(text)")
        }
        try await registry.stop()
    }
}

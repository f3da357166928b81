import CommandRunner
import Foundation
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// Whole repositories and images for several platforms, by podman, buildah and skopeo against the shipped executable.
@Suite(
    .enabled(if: StockClients.arePresent, "podman, buildah and skopeo are not installed"), .timeLimit(.minutes(3)))
struct ImageClientTests {
    @Test func repositoriesAreSynchronizedOutAndBack() async throws {
        try await withTemporaryDirectory("sync") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let (clients, base) = (StockClients(folder: folder), "docker://\(registry.address)")
            try await clients.makeImage("sample:1", content: "content")
            for tag in ["v1", "v2"] {
                try await clients.run(
                    "buildah", "push", "-q", "--tls-verify=false", "sample:1", "\(base)/shop/shop:\(tag)")
            }
            // Another image under a third tag.
            try await clients.makeImage("sample:2", content: "other content")
            try await clients.run("buildah", "push", "-q", "--tls-verify=false", "sample:2", "\(base)/shop/shop:v3")
            try await clients.run(
                "skopeo", "sync", "--src", "docker", "--dest", "dir", "--src-tls-verify=false",
                "\(registry.address)/shop/shop", "\(folder)/mirror")
            let folders = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/mirror").sorted()
            #expect(folders == ["shop:v1", "shop:v2", "shop:v3"])
            try await clients.run(
                "skopeo", "sync", "--src", "dir", "--dest", "docker", "--dest-tls-verify=false", "\(folder)/mirror",
                "\(registry.address)/back")
            try await clients.run(
                "skopeo", "sync", "--src", "docker", "--dest", "docker", "--src-tls-verify=false",
                "--dest-tls-verify=false", "\(registry.address)/back/shop", "\(registry.address)/again")
            for name in ["back/shop", "again/shop"] {
                for tag in ["v1", "v2", "v3"] {
                    let original = try await clients.digest("\(base)/shop/shop:\(tag)")
                    #expect(try await clients.digest("\(base)/\(name):\(tag)") == original, "\(name):\(tag)")
                }
            }
            // Deletes the manifest, and with it both tags that name it.
            try await clients.run("skopeo", "delete", "--tls-verify=false", "\(base)/back/shop:v1")
            let left = try await clients.run("skopeo", "list-tags", "--tls-verify=false", "\(base)/back/shop")
            #expect(try Self.tags(left) == ["v3"])
            let others = try await clients.run("skopeo", "list-tags", "--tls-verify=false", "\(base)/again/shop")
            #expect(try Self.tags(others) == ["v1", "v2", "v3"])
            try await registry.stop()
        }
    }

    private static func tags(_ json: String) throws -> [String] {
        struct Body: Decodable {
            let tags: [String]
            enum CodingKeys: String, CodingKey { case tags = "Tags" }
        }
        return try JSONDecoder().decode(Body.self, from: Data(json.utf8)).tags
    }

    @Test func imagesForSeveralPlatformsStayTogether() async throws {
        try await withTemporaryDirectory("platforms") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let (clients, base) = (StockClients(folder: folder), "docker://\(registry.address)")
            for architecture in ["amd64", "arm64"] {
                try await clients.makeImage(
                    "sample:\(architecture)", content: "for \(architecture)", architecture: architecture)
            }
            try await clients.run("buildah", "manifest", "create", "all")
            for architecture in ["amd64", "arm64"] {
                try await clients.run("buildah", "manifest", "add", "all", "localhost/sample:\(architecture)")
            }
            try await clients.run(
                "buildah", "manifest", "push", "-q", "--all", "--tls-verify=false", "all", "\(base)/shop/shop:v1")
            try await clients.run(
                "podman", "manifest", "push", "-q", "--all", "--tls-verify=false", "all", "\(base)/shop/other:v1")
            try await clients.run(
                "skopeo", "copy", "-q", "--all", "--src-tls-verify=false", "--dest-tls-verify=false",
                "\(base)/shop/shop:v1", "\(base)/copy/all:v1")
            let index = try await clients.raw("\(base)/shop/shop:v1")
            let document = try JSONDecoder().decode(ImageIndex.self, from: Data(index.utf8))
            #expect(document.manifests.compactMap(\.platform?.architecture).sorted() == ["amd64", "arm64"])
            #expect(try await clients.raw("\(base)/copy/all:v1") == index)
            let other = try JSONDecoder().decode(
                ImageIndex.self, from: Data(try await clients.raw("\(base)/shop/other:v1").utf8))
            #expect(other.manifests.map(\.platform) == document.manifests.map(\.platform))
            for architecture in ["amd64", "arm64"] {
                let found = try await clients.run(
                    "skopeo", "--override-arch", architecture, "inspect", "--tls-verify=false", "--format",
                    "{{.Architecture}}", "\(base)/copy/all:v1")
                #expect(found == architecture)
                let pulled = try await clients.run(
                    "podman", "pull", "-q", "--tls-verify=false", "--arch", architecture,
                    "\(registry.address)/copy/all:v1")
                let inspected = try await clients.run(
                    "podman", "image", "inspect", "--format", "{{.Architecture}}", pulled)
                #expect(inspected == architecture)
            }
            try await registry.stop()
        }
    }
}

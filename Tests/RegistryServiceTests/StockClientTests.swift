import AccessTokens
import CommandRunner
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import TestSupport
import Testing

@testable import RegistryService

/// podman, buildah and skopeo against the shipped executable.
@Suite(
    .enabled(
        if: TestEnvironment.isRequired || FileManager.default.isExecutableFile(atPath: "/usr/bin/buildah"),
        "podman, buildah and skopeo are not installed"),
    .timeLimit(.minutes(2)))
struct StockClientTests {
    @Test func imagesGoInAndOutUnchanged() async throws {
        try await withTemporaryDirectory("clients") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let tools = StockClients(folder: folder)
            let base = "docker://\(registry.address)"
            try await tools.makeImage("sample:1", content: String(repeating: "content ", count: 400_000))
            _ = try await tools.run("buildah", "push", "-q", "--tls-verify=false", "sample:1", "\(base)/shop/shop:v1")
            _ = try await tools.run(
                "podman", "push", "-q", "--tls-verify=false", "sample:1", "\(registry.address)/shop/other:v2")
            let pulled = try await tools.run(
                "podman", "pull", "-q", "--tls-verify=false", "\(registry.address)/shop/shop:v1")
            #expect(pulled == (try await tools.run("podman", "image", "inspect", "-f", "{{.Id}}", "sample:1")))
            _ = try await tools.run(
                "skopeo", "copy", "-q", "--src-tls-verify=false", "\(base)/shop/shop:v1", "oci:\(folder)/layout:x")
            _ = try await tools.run(
                "skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:\(folder)/layout:x", "\(base)/copy/back:x")
            _ = try await tools.run(
                "skopeo", "copy", "-q", "--src-tls-verify=false", "\(base)/copy/back:x", "dir:\(folder)/dir")
            let digests = try await ["shop/shop:v1", "copy/back:x"].asyncMap { name in
                try await tools.run(
                    "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "\(base)/\(name)")
            }
            #expect(digests[0] == digests[1] && digests[0].hasPrefix("sha256:"))
            _ = try await tools.run(
                "skopeo", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2",
                "\(base)/shop/shop:v1", "\(base)/docker/format:1")
            let raw = try await tools.run(
                "skopeo", "inspect", "--raw", "--tls-verify=false", "\(base)/docker/format:1")
            #expect(raw.contains("application/vnd.docker.distribution.manifest.v2+json"))
            _ = try await tools.run("skopeo", "delete", "--tls-verify=false", "\(base)/copy/back:x")
            await #expect(throws: CommandError.self) {
                _ = try await tools.run("skopeo", "inspect", "--tls-verify=false", "\(base)/copy/back:x")
            }
            try await registry.stop()
        }
    }

    @Test func aTokenServerGivesTheRightsItChooses() async throws {
        try await withTemporaryDirectory("tokens") { folder in
            let key = try KeyPair.generate(.es256)
            let issuer = try await RegistryTokenIssuer(privateKeyPEM: Secret(try key.privatePEM()))
            try Data(key.publicKey.pem.utf8).write(to: URL(filePath: "\(folder)/keys.pem"))
            try await Self.tokenServer(issuer).test(.live) { server in
                let port = try #require(server.port)
                let registry = try await RegistryProcess(
                    root: folder, port: try freePort(),
                    settings: [
                        "REGISTRY_AUTH": "token", "REGISTRY_TOKEN_REALM": "http://127.0.0.1:\(port)/token",
                        "REGISTRY_TOKEN_KEYS": "\(folder)/keys.pem",
                    ])
                let tools = StockClients(folder: folder)
                let base = "docker://\(registry.address)"
                try await tools.makeImage("sample:1", content: "content")
                _ = try await tools.run(
                    "buildah", "push", "-q", "--tls-verify=false", "--creds", "grant:push", "sample:1",
                    "\(base)/shop/shop:v1")
                _ = try await tools.run(
                    "podman", "pull", "-q", "--tls-verify=false", "--creds", "grant:pull",
                    "\(registry.address)/shop/shop:v1")
                for credentials in ["grant:pull", "grant:none"] {
                    await #expect(throws: CommandError.self, "\(credentials) must not push") {
                        _ = try await tools.run(
                            "buildah", "push", "-q", "--tls-verify=false", "--creds", credentials, "sample:1",
                            "\(base)/shop/shop:v2")
                    }
                }
                await #expect(throws: CommandError.self) {
                    _ = try await tools.run(
                        "podman", "pull", "-q", "--tls-verify=false", "--creds", "grant:none",
                        "\(registry.address)/shop/shop:v1")
                }
                try await registry.stop()
            }
        }
    }

    /// Grants what the password says, for whatever repository is asked.
    private static func tokenServer(
        _ issuer: RegistryTokenIssuer
    ) -> Application<RouterResponder<BasicRequestContext>> {
        let router = Router()
        router.get("/token") { request, _ in
            let header = request.headers[.authorization]?.dropFirst("Basic ".count) ?? ""
            let password = String(decoding: try Base64.decode(header), as: UTF8.self).split(separator: ":").last
            let allowed: [String] =
                switch password {
                case "push": ["pull", "push"]
                case "pull": ["pull"]
                default: []
                }
            let wanted = request.uri.queryParameters[values: "scope"].compactMap { RegistryAccess(scope: String($0)) }
            let granted = wanted.map { RegistryAccess(name: $0.name, actions: allowed) }
            let token = try issuer.token(
                subject: "grant", service: "workflow-registry",
                access: RegistryAccess.intersection(wanted, with: granted))
            let reply = ByteBuffer(string: "{\"token\":\"\(token.token.reveal())\",\"expires_in\":300}")
            return Response(
                status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: reply))
        }
        var logger = Logger(label: "token-server")
        logger.logLevel = .critical
        return Application(
            responder: router.buildResponder(), server: .plain(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: logger)
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}

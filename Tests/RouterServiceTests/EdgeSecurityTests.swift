import CommandRunner
import CurlTransfer
import HTTPTypes
import NIOCore
import NIOPosix
import OpenSSLCrypto
import RouterService
import ServiceRuntime
import TestSupport
import Testing

/// Certificates and upgrades.
@Suite(.timeLimit(.minutes(2))) struct EdgeSecurityTests {
    @Test func eachHostShowsItsOwnCertificateAndABrokenOneHarmsNobodyElse() async throws {
        let ours = try CertificateAuthority.create(commonName: "ours")
        let theirs = try CertificateAuthority.create(commonName: "theirs")
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with(certificate: { try EdgeFixture.store(ours, in: $0) }) { edge in
                let own = try theirs.issue(names: [.dns("shop.edge.localhost")])
                try await edge.table.apply(
                    RoutingTable(
                        version: 1,
                        hosts: [
                            EdgeFixture.entry("shop.edge.localhost", ports: ports, certificate: "own"),
                            EdgeFixture.entry("plain.edge.localhost", ports: ports),
                            EdgeFixture.entry("broken.edge.localhost", ports: ports, certificate: "broken"),
                        ],
                        certificates: [
                            .init(id: "own", chain: own.chainPEM, key: own.privateKeyPEM),
                            .init(id: "broken", chain: own.chainPEM, key: try KeyPair.generate(.es256).privatePEM()),
                        ]))
                #expect(try await Self.get("shop", edge, trusting: theirs).status == 200)
                #expect(try await Self.get("plain", edge, trusting: ours).status == 200)
                #expect(try await Self.get("broken", edge, trusting: ours).status == 200)
                await #expect(throws: TransferError.self) { _ = try await Self.get("shop", edge, trusting: ours) }
            }
        }
    }

    private static func get(
        _ name: String, _ edge: EdgeFixture, trusting authority: CertificateAuthority
    ) async throws -> TransferResponse {
        let url = "https://\(name).edge.localhost:\(edge.settings.httpsPort)/"
        return try await edge.client.send(
            TransferRequest(url: url, tls: .init(trust: .pem(authority.certificate.pem)), timeout: .seconds(10)))
    }

    /// The curl of the machine, given nothing but the authority's file, as a user would.
    @Test func stockCurlTrustsTheLocalAuthorityAndNobodyElse() async throws {
        let authority = try CertificateAuthority.create(commonName: "local authority")
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with(certificate: { try EdgeFixture.store(authority, in: $0) }) { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                let file = "\(edge.settings.directory)/ca.pem"
                try StateFile.write(authority.certificate.pem, to: file, mode: 0o644)
                let address = "shop.edge.localhost:\(edge.settings.httpsPort)"
                let options = ["--silent", "--show-error", "--resolve", "\(address):127.0.0.1", "https://\(address)/"]
                let trusting = try await CommandRunner.run(
                    Command("curl", ["--cacert", file, "--write-out", "%{http_version}"] + options))
                #expect(trusting.exit == .code(0), "\(trusting.errorText)")
                #expect(trusting.text.hasPrefix("one\n"))
                #expect(trusting.text.contains("x-forwarded-proto: https"))
                #expect(trusting.text.hasSuffix("2"))
                // 60 is curl's code for a certificate nobody it trusts has signed.
                #expect(try await CommandRunner.run(Command("curl", options)).exit == .code(60))
            }
        }
    }

    @Test func plainRequestsAreSentToHTTPSWhereTheAppWantsIt() async throws {
        let authority = try CertificateAuthority.create(commonName: "ours")
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with(certificate: { try EdgeFixture.store(authority, in: $0) }) { edge in
                let hosts = [
                    EdgeFixture.entry("strict.edge.localhost", ports: ports, https: .enforced),
                    EdgeFixture.entry("either.edge.localhost", ports: ports),
                ]
                try await edge.table.apply(RoutingTable(version: 1, hosts: hosts))
                let port = edge.settings.httpsPort
                let moved = try await edge.send("strict.edge.localhost", "/a%20b?c=d")
                #expect(moved.status == 301)
                #expect(moved.headers[.location] == "https://strict.edge.localhost:\(port)/a%20b?c=d")
                #expect(backends.count("one") == 0)
                #expect(try await Self.get("strict", edge, trusting: authority).status == 200)
                let plain = try await edge.send("either.edge.localhost")
                #expect(plain.status == 200)
            }
        }
    }

    @Test func websocketsPassAndOtherUpgradesDoNot() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                let port = edge.settings.httpPort
                // A text frame "hi" with a mask of zeroes, and the echo without one.
                let frame: [UInt8] = [0x81, 0x82, 0, 0, 0, 0] + Array("hi".utf8)
                let echo = try await Self.upgrade("websocket", port: port, then: frame, until: "one: hi")
                #expect(echo.hasPrefix("HTTP/1.1 101"))
                #expect(echo.contains("one: hi"))
                let refused = try await Self.upgrade("h2c", port: port, then: [], until: "x-request-id")
                #expect(refused.hasPrefix("HTTP/1.1 200"))
                #expect(!refused.lowercased().contains("\nupgrade: h2c"))
            }
        }
    }

    /// Asks for an upgrade, sends `bytes` after the answer's head and reads until `text` has come.
    private static func upgrade(
        _ kind: String, port: Int, then bytes: [UInt8], until text: String
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let head = """
                GET /echo HTTP/1.1\r\nHost: shop.edge.localhost\r\nConnection: Upgrade\r\nUpgrade: \(kind)\r
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
                """
            try await outbound.write(ByteBuffer(string: head))
            var received = ByteBuffer()
            var isSent = false
            for try await part in inbound {
                received.writeImmutableBuffer(part)
                let seen = String(decoding: received.readableBytesView, as: UTF8.self)
                if seen.contains("\r\n\r\n"), !isSent {
                    isSent = true
                    if !bytes.isEmpty { try await outbound.write(ByteBuffer(bytes: bytes)) }
                }
                if isSent, seen.contains(text) { break }
            }
            return String(decoding: received.readableBytesView, as: UTF8.self)
        }
    }
}

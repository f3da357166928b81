import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

@testable import SSHServer

@Suite(.timeLimit(.minutes(2)))
struct SignInTests {
    @Test func anUnknownKeyIsRefusedWithAReadableText() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("stranger", user: nil)
            let result = try await fixture.ssh(["whoami"], key: key)
            #expect(result.exit == .code(255))
            #expect(result.errorText.contains("No account has the key SHA256:"))
            #expect(result.errorText.contains("Permission denied"))
        }
    }

    @Test func theRightKeyAmongManyIsFoundWithoutNoise() async throws {
        try await SSHFixture.withServer { fixture in
            var options: [String] = []
            for index in 0..<9 {
                options += ["-i", try await fixture.makeKey("stranger\(index)", user: nil)]
            }
            let known = try await fixture.makeKey("known", user: "ada")
            let result = try await fixture.ssh(options + ["-i", known, "-o", "IdentitiesOnly=yes", "whoami"], key: nil)
            #expect(result.text.hasPrefix("ada "))
            #expect(!result.errorText.contains("No account"))
            #expect(fixture.authorizer.asked.count == 10)
        }
    }

    @Test func aUserNameInTheURLMeansNothing() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let result = try await fixture.ssh(["-l", "root", "whoami"], key: key)
            #expect(result.text.hasPrefix("ada "))
        }
    }

    @Test func anAuthorizerInTroubleIsNamed() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            fixture.authorizer.goDown()
            let result = try await fixture.ssh(["whoami"], key: key)
            #expect(result.exit == .code(255))
            #expect(result.errorText.contains("The directory is down."))
        }
    }

    @Test func passwordsAreNotAsked() async throws {
        try await SSHFixture.withServer { fixture in
            let options = ["-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes", "whoami"]
            let result = try await fixture.ssh(options, key: nil)
            #expect(result.exit == .code(255))
            #expect(!result.errorText.contains("password)"))
        }
    }

    @Test func halfOpenConnectionsAreDropped() async throws {
        try await SSHFixture.withServer {
            $0.handshakeLimit = .milliseconds(300)
            $0.authenticationLimit = .milliseconds(600)
        } _: { fixture in
            let silent = try (0..<5).map { _ in try TestSocket(port: fixture.server.port) }
            for socket in silent { socket.waitForEnd() }
            try await eventually(within: .seconds(60)) { fixture.server.connectionCount == 0 }
        }
    }

    /// Signed in, but never asking for anything.
    @Test func idleConnectionsAreDropped() async throws {
        try await SSHFixture.withServer {
            $0.idleLimit = .seconds(2)
        } _: { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let idle = try await fixture.ssh(["-N"], key: key)
            #expect(idle.exit == .code(255))
            try await eventually { fixture.server.connectionCount == 0 }
            // A command that runs longer than that is no idle connection.
            #expect(try await fixture.ssh(["sh sleep 3; echo done"], key: key).text == "done")
        }
    }

    @Test(arguments: [
        "", "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n\u{0}\u{0}\u{0}\u{7f}garbage",
        String(repeating: "A", count: 100_000),
        String(repeating: "A\r\n", count: 10_000), "SSH-1.5-old\r\n",
        "SSH-2.0-x\r\n" + String(repeating: "\u{7f}", count: 70_000),
    ])
    func garbageEndsOnlyItsOwnConnection(text: String) async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            do {
                let socket = try TestSocket(port: fixture.server.port)
                socket.send(text)
            }
            #expect(try await fixture.ssh(["whoami"], key: key).exit == .code(0))
            try await eventually(within: .seconds(60)) { fixture.server.connectionCount == 0 }
        }
    }

    @Test func connectionsOfOneAddressAreLimitedBeforeSignIn() async throws {
        try await SSHFixture.withServer {
            $0.maximumUnauthenticatedPerAddress = 2
        } _: { fixture in
            let silent = try (0..<2).map { _ in try TestSocket(port: fixture.server.port) }
            try await eventually(within: .seconds(60)) { fixture.server.connectionCount == 2 }
            let third = try TestSocket(port: fixture.server.port)
            #expect(third.receive().contains("Too many connections from 127.0.0.1"))
            withExtendedLifetime(silent) {}
        }
    }

    @Test func aFullServerSaysSo() async throws {
        try await SSHFixture.withServer {
            $0.maximumConnections = 1
        } _: { fixture in
            let first = try TestSocket(port: fixture.server.port)
            try await eventually(within: .seconds(60)) { fixture.server.connectionCount == 1 }
            #expect(try TestSocket(port: fixture.server.port).receive().contains("The server is full"))
            withExtendedLifetime(first) {}
        }
    }
}

@Suite struct HostKeyTests {
    @Test func processesThatStartAtOnceAgree() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/host-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(atPath: folder) } catch { print("folder not removed: \(error)") }
        }
        let seen = try await withThrowingTaskGroup(of: Data.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let keys = try HostKeys(directory: folder + "/keys")
                    return try Data(contentsOf: URL(filePath: keys.paths[0]))
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(seen.count == 1)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/keys")
        #expect(Set(files) == ["ssh_host_ed25519_key", "ssh_host_ecdsa_key"])
    }

    @Test func aKeyOthersMayReadIsRefused() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/host-" + UUID().uuidString
        defer {
            do { try FileManager.default.removeItem(atPath: folder) } catch { print("folder not removed: \(error)") }
        }
        let keys = try HostKeys(directory: folder)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: keys.paths[1])
        #expect(throws: SSHServerError.self) { try HostKeys(directory: folder) }
    }
}

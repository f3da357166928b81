import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

@testable import SSHServer

@Suite(.timeLimit(.minutes(2)))
struct CommandTests {
    @Test func aKnownKeySignsInAsItsOwner() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let result = try await fixture.ssh(["whoami"], key: key)
            #expect(result.text.hasPrefix("ada SHA256:"))
            #expect(result.exit == .code(0))
        }
    }

    @Test(arguments: ["ed25519", "ecdsa", "rsa"])
    func everyKindOfKeySigns(type: String) async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("key", type: type, user: "ada")
            #expect(try await fixture.ssh(["whoami"], key: key).exit == .code(0))
        }
    }

    @Test func bothHostKeysServeAndStay() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            for type in ["ssh-ed25519", "ecdsa-sha2-nistp256"] {
                let result = try await fixture.ssh(["-o", "HostKeyAlgorithms=\(type)", "whoami"], key: key)
                #expect(result.exit == .code(0), "\(type): \(result.errorText)")
            }
            let before = try Data(contentsOf: URL(filePath: fixture.folder + "/host/ssh_host_ed25519_key"))
            _ = try HostKeys(directory: fixture.folder + "/host")
            #expect(try Data(contentsOf: URL(filePath: fixture.folder + "/host/ssh_host_ed25519_key")) == before)
        }
    }

    @Test func exitStatusAndBothStreamsArrive() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let result = try await fixture.ssh(["sh echo out; echo err >&2; exit 7"], key: key)
            #expect(result.exit == .code(7))
            #expect(result.text == "out")
            #expect(result.errorText.hasSuffix("err"))
            let refused = try await fixture.ssh(["refuse"], key: key)
            #expect(refused.exit == .code(3))
            #expect(refused.errorText.hasSuffix("not today"))
        }
    }

    @Test func inputReachesTheChildAndEnds() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let text = String(repeating: "0123456789abcdef\n", count: 200_000)
            let result = try await fixture.ssh(["sh sleep 0.3; sha256sum; cat"], key: key, input: text)
            let local = try await CommandRunner.check(Command("sha256sum", standardInput: Array(text.utf8)))
            #expect(result.text == local.text)
        }
    }

    @Test func muchOutputIsWhole() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let result = try await fixture.ssh(["sh seq 1 2000000"], key: key)
            #expect(result.standardOutput.count == 14_888_896)
            #expect(result.text.hasSuffix("2000000"))
        }
    }

    @Test func theGitProtocolIsPassedOnOnlyWhenHarmless() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let send = ["-o", "SendEnv=GIT_PROTOCOL", "protocol"]
            let good = try await fixture.ssh(send, key: key, environment: ["GIT_PROTOCOL": "version=2"])
            #expect(good.text == "version=2")
            let bad = try await fixture.ssh(send, key: key, environment: ["GIT_PROTOCOL": "$(id)"])
            #expect(bad.text == "none")
        }
    }

    @Test func severalCommandsShareOneConnection() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let socket = fixture.folder + "/master"
            let master = ["-o", "ControlPath=\(socket)"]
            _ = try await fixture.ssh(master + ["-o", "ControlMaster=yes", "-o", "ControlPersist=20", "-fN"], key: key)
            let results = try await withThrowingTaskGroup(of: CommandResult.self) { group in
                for index in 0..<6 {
                    group.addTask { try await fixture.ssh(master + ["sh sleep 0.2; echo \(index)"], key: key) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(results.map(\.text)) == ["0", "1", "2", "3", "4", "5"])
            #expect(fixture.server.connectionCount == 1)
            _ = try await fixture.ssh(master + ["-O", "exit"], key: key)
        }
    }

    @Test func shellSubsystemAndForwardingAreRefusedWithoutHarm() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            #expect(try await fixture.ssh(["-tt"], key: key).exit != .code(0))
            #expect(try await fixture.ssh(["-s", "sftp"], key: key).exit != .code(0))
            let forward = try await fixture.ssh(
                ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "whoami"], key: key)
            #expect(forward.exit != .code(0))
            #expect(try await fixture.ssh(["-W", "127.0.0.1:1"], key: key).exit != .code(0))
            #expect(try await fixture.ssh(["-A", "-X", "whoami"], key: key).text.hasPrefix("ada"))
            #expect(try await fixture.ssh(["whoami"], key: key).exit == .code(0))
        }
    }

    @Test func aKilledClientEndsItsCommand() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let task = Task { try await fixture.ssh(["sh echo $$ > pid; exec sleep 600"], key: key) }
            try await eventually(within: .seconds(60)) {
                FileManager.default.fileExists(atPath: fixture.folder + "/pid")
            }
            task.cancel()
            try await eventually(within: .seconds(60)) { !fixture.handler.exitStatuses.isEmpty }
            #expect(fixture.handler.exitStatuses == [128 + 15])
        }
    }
}

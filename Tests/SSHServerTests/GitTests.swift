import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

@testable import SSHServer

@Suite(.timeLimit(.minutes(3)))
struct GitTests {
    @Test func whatIsPushedCanBeCloned() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let tree = try await fixture.makeWorkTree("tree", key: key, files: ["a": "one\n", "b": "two\n"])
            let push = try await fixture.git(["push", fixture.url("shop"), "main"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            let clone = try await fixture.git(["clone", "-q", fixture.url("shop"), "copy"], key: key)
            #expect(clone.exit == .code(0), "\(clone.errorText)")
            #expect(try String(contentsOfFile: fixture.folder + "/copy/b", encoding: .utf8) == "two\n")
        }
    }

    @Test func aLargePushArrivesWhole() async throws {
        try await SSHFixture.withServer { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let tree = try await fixture.makeWorkTree("tree", key: key, files: ["a": "one\n"])
            try await CommandRunner.check(
                Command("head", ["-c", "50000000", "/dev/urandom"], outputLimit: 60 << 20)
            ).standardOutput.withUnsafeBytes { try Data($0).write(to: URL(filePath: tree + "/big")) }
            _ = try await fixture.git(["add", "-A"], key: key, in: tree)
            _ = try await fixture.git(["commit", "-qm", "big"], key: key, in: tree)
            let push = try await fixture.git(["push", "-q", fixture.url("shop"), "main"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            let clone = try await fixture.git(["clone", "-q", fixture.url("shop"), "copy"], key: key)
            #expect(clone.exit == .code(0), "\(clone.errorText)")
            let check = try await fixture.git(["fsck", "--full"], key: key, in: fixture.folder + "/copy")
            #expect(check.exit == .code(0))
        }
    }

    @Test func twentyPushesAtOnceAllArrive() async throws {
        try await SSHFixture.withServer {
            $0.maximumUnauthenticatedPerAddress = 40
        } _: { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            let tree = try await fixture.makeWorkTree("tree", key: key, files: ["a": "one\n"])
            let results = try await withThrowingTaskGroup(of: CommandResult.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        try await fixture.git(["push", fixture.url("shop\(index)"), "main"], key: key, in: tree)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let failures = results.filter { !$0.exit.isSuccess }.map(\.errorText)
            #expect(failures == [])
            try await eventually(within: .seconds(60)) { fixture.server.connectionCount == 0 }
        }
    }
}

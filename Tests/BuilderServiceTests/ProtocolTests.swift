import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

@testable import BuilderService

/// What git and ssh clients may ask for, served or refused.
@Suite(.timeLimit(.minutes(4)))
struct ProtocolTests {
    @Test func fetchesSpeakVersionTwo() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            #expect(try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree).exit == .code(0))
            for (version, isSecond) in [("2", true), ("1", false), ("0", false)] {
                let listing = try await fixture.git(
                    ["-c", "protocol.version=\(version)", "ls-remote", fixture.url()], key: key,
                    variables: ["GIT_TRACE_PACKET": "1"])
                #expect(listing.exit == .code(0))
                #expect(listing.errorText.contains("version 2") == isSecond)
                #expect(listing.text.contains("refs/heads/main"))
                #expect(!listing.text.contains("refs/workflow") && !listing.text.contains("refs/namespaces"))
            }
            let head = try await fixture.head(of: tree)
            for index in 0..<3 { try await fixture.commit(["f\(index)": "x"], in: tree) }
            #expect(try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree).exit == .code(0))
            let shallow = try await fixture.git(
                ["-c", "protocol.version=2", "clone", "-q", "--depth", "1", fixture.url(), "shallow"], key: key)
            #expect(shallow.exit == .code(0), "\(shallow.errorText)")
            let partial = try await fixture.git(
                ["-c", "protocol.version=2", "clone", "-q", "--filter=blob:none", fixture.url(), "partial"], key: key)
            #expect(partial.exit == .code(0), "\(partial.errorText)")
            #expect(try await fixture.git(["rev-parse", "main~3"], in: fixture.folder + "/partial").text == head)
        }
    }

    @Test func manyPushesToOneAppLeaveTheNewestLive() async throws {
        let controller = FakeController { _, _ in }
        try await BuilderFixture.with(controller, change: { $0.maximumConnections = 100 }) { fixture in
            let key = try await fixture.makeKey()
            let trees = try await (0..<24).asyncMap { index in
                try await fixture.makeTree("tree\(index)", files: ["Dockerfile": "FROM scratch\n# \(index)\n"])
            }
            let results = try await withThrowingTaskGroup(of: CommandResult.self) { group in
                for tree in trees {
                    group.addTask {
                        try await fixture.git(
                            ["push", fixture.url(), "main"], key: key, in: tree, deadline: .seconds(150))
                    }
                }
                // The controller supersedes all but the newest, which is the only one left to end.
                group.addTask {
                    try await eventually(within: .seconds(120), "all pushes are recorded") {
                        controller.runs.count == trees.count
                    }
                    controller.finish(try #require(controller.runs.last).id, live: true)
                    return try await fixture.git(["--version"])
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let pushes = results.filter { !$0.text.hasPrefix("git version") }
            #expect(pushes.filter(\.exit.isSuccess).count == 1)
            #expect(pushes.filter { $0.errorText.contains("superseded by a newer push") }.count == trees.count - 1)
            let newest = try #require(controller.runs.last?.record["sha"])
            #expect(try await fixture.kept("refs/heads/main") == newest)
            let unsound = try await fixture.unsoundness()
            #expect(unsound == "")
        }
    }

    @Test func aSecondRefInOnePushIsRefusedAndTheAppStays() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            try await fixture.git(["branch", "other"], in: tree)
            try await fixture.git(["tag", "v1"], in: tree)
            for arguments in [["--all"], ["--mirror"], ["--tags", "main"], ["--atomic", "main", "other"]] {
                let push = try await fixture.git(["push", fixture.url()] + arguments, key: key, in: tree)
                #expect(push.exit == .code(1), "\(arguments)")
                #expect(push.errorText.contains("push one branch or tag at a time"), "\(push.errorText)")
            }
            #expect(fixture.controller.runs.isEmpty)
            #expect(try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree).exit == .code(0))
            #expect(fixture.controller.runs.count == 1)
        }
    }

    @Test(arguments: [
        ["-T"], ["-tt"], ["-s", "sftp"], ["-s", "netconf"], ["-tt", "ping"], ["-W", "127.0.0.1:1"],
        ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "ping"],
        ["-o", "ExitOnForwardFailure=yes", "-o", "Tunnel=yes", "-w", "any", "ping"],
    ])
    func whatIsNotServedIsRefusedAndHarmsNobody(options: [String]) async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            async let other = fixture.ssh(["ping"], key: key)
            let refused = try await fixture.refused(options, key: key)
            #expect(refused.exit != .code(0), "\(refused.text)")
            #expect(try await other.text == "pong")
            #expect(try await fixture.ssh(["ping"], key: key).text == "pong")
            let left = WorkFolderProcesses.running(in: fixture.repositories)
            #expect(left.isEmpty)
        }
    }
}

extension BuilderFixture {
    fileprivate func refused(_ options: [String], key: String) async throws -> CommandResult {
        let isCommand = options.last == "ping"
        let arguments =
            sshOptions(key) + options.filter { $0 != "ping" } + ["git@127.0.0.1"] + (isCommand ? ["ping"] : [])
        return try await CommandRunner.run(
            Command("ssh", arguments, environment: ["HOME": folder], deadline: .seconds(30)))
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}

import CommandRunner
import FoundationEssentials
import SSHServer
import TestSupport
import Testing

@testable import BuilderService

/// A push belongs to its record, not to its connection.
@Suite(.timeLimit(.minutes(3)))
struct RecordTests {
    @Test func aKilledClientChangesNothing() async throws {
        let controller = FakeController { _, _ in }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            let push = Task { try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree) }
            try await eventually(within: .seconds(60)) { controller.runs.count == 1 }
            push.cancel()
            _ = await push.result
            try await eventually(within: .seconds(60)) { fixture.parts.server.connectionCount == 0 }
            let run = try #require(controller.runs.first)
            controller.finish(run.id, live: true)
            let sha = try await fixture.head(of: tree)
            try await eventually(within: .seconds(60)) { try await fixture.kept("refs/heads/main") == sha }
        }
    }

    @Test func theSameCommitAttachesToItsRunningBuild() async throws {
        let controller = FakeController { _, _ in }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            async let first = fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            try await eventually(within: .seconds(60)) {
                try await fixture.kept("refs/workflow/pushed/heads/main") != nil
            }
            async let second = fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            try await eventually(within: .seconds(60)) { controller.runs.first?.followers.count == 2 }
            controller.finish(try #require(controller.runs.first).id, live: true)
            let results = try await [first, second]
            #expect(results.map(\.exit) == [.code(0), .code(0)])
            #expect(results[1].errorText.contains("following that build"))
            #expect(controller.runs.count == 1)
        }
    }

    @Test func aRestartingControllerIsFollowedWithoutRepeats() async throws {
        let controller = FakeController { controller, run in
            controller.cutStreams(after: 2)
            for index in 1...7 {
                controller.append(#""kind":"phase","phase":"step\#(index)","text":"done","seconds":0.5"#, to: run.id)
            }
            controller.finish(run.id, live: true)
        }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            let push = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            for index in 1...7 {
                #expect(push.errorText.split(separator: "\n").filter { $0.contains("step\(index) ") }.count == 1)
            }
        }
    }

    @Test func aRestartedBuilderFinishesWhatItBegan() async throws {
        let controller = FakeController { _, _ in }
        controller.add(user: "ada", to: "shop1")
        try await withTemporaryDirectory("builder") { folder in
            try FileManager.default.createDirectory(atPath: folder + "/storage", withIntermediateDirectories: true)
            try await BuilderFixture.withController(controller) { port in
                let configuration = BuilderFixture.configuration(folder: folder, controllerPort: port)
                try await BuilderFixture.withBuilder(configuration, folder: folder, controller: controller) { fixture in
                    let key = try await fixture.makeKey()
                    let tree = try await fixture.makeTree()
                    let push = Task { try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree) }
                    try await eventually(within: .seconds(60)) { controller.runs.first?.followers.count == 1 }
                    // The shutdown that follows is what the pusher hears of.
                    Task {
                        let result = try await push.value
                        try Data(result.errorText.utf8).write(to: URL(filePath: folder + "/said"))
                    }
                }
                try await eventually(within: .seconds(60)) { FileManager.default.fileExists(atPath: folder + "/said") }
                let said = try String(contentsOfFile: folder + "/said", encoding: .utf8)
                #expect(said.contains("the build goes on without this connection"))
                try await BuilderFixture.withBuilder(configuration, folder: folder, controller: controller) { fixture in
                    controller.finish(try #require(controller.runs.first).id, live: true)
                    let sha = try await fixture.head(of: folder + "/tree")
                    try await eventually(within: .seconds(60)) { try await fixture.kept("refs/heads/main") == sha }
                }
            }
        }
    }

    @Test func manyPushesAtOnceEachGetTheirOwnEnd() async throws {
        let apps = (0..<20).map { "shop\($0 + 10)" }
        try await BuilderFixture.with(apps: apps, change: { $0.maximumConnections = 100 }) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            let results = try await withThrowingTaskGroup(of: CommandResult.self) { group in
                for app in apps {
                    group.addTask { try await fixture.git(["push", fixture.url(app), "main"], key: key, in: tree) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.filter { !$0.exit.isSuccess }.map(\.errorText) == [])
            #expect(Set(fixture.controller.runs.compactMap { $0.record["receive_repo"] }) == Set(apps))
        }
    }

    @Test func anUnreachableControllerIsNamed() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            #expect(try await fixture.ssh(["ping"], key: key).text == "pong")
            fixture.controller.fail(next: 1000)
            let tree = try await fixture.makeTree()
            let push = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(push.errorText.contains("Workflow cannot check keys at the moment"))
        }
    }
}

import AMQPClient
import CommandRunner
import FoundationEssentials
import PlatformModel
import TaskQueue
import TestSupport
import Testing

@testable import BuilderService

/// Whoever is killed in the middle of a push: the repository stays sound and the next push works.
@Suite(.enabled(if: TestEnvironment.hasServers), .serialized, .timeLimit(.minutes(4)))
struct SoundnessTests {
    /// A work tree whose push takes a while.
    private func makeLargeTree(_ client: some PushClient) async throws -> String {
        let tree = try await client.makeTree()
        let random = try await CommandRunner.check(
            Command("head", ["-c", "40000000", "/dev/urandom"], outputLimit: 64 << 20))
        try Data(random.standardOutput).write(to: URL(filePath: tree + "/big"))
        try await client.git(["add", "-A"], in: tree)
        try await client.git(["commit", "-qm", "big"], in: tree)
        return tree
    }

    /// Pushes at a speed that leaves time to be killed, and returns when bytes of the pack have arrived.
    private func pushUntilReceiving(
        _ client: some PushClient, key: String, tree: String
    ) async throws -> Task<CommandResult, any Error> {
        // Awaited by the caller.
        let push = Task { try await client.git(["push", client.url(), "main"], key: key, in: tree) }
        try await eventually("the pack is being received") {
            try client.drafts().contains { draft in
                let pack = "\(client.repositories)/shop1.git/objects/\(draft)/pack"
                return try FileManager.default.contentsOfDirectory(atPath: pack).contains { $0.hasPrefix("tmp_pack") }
            }
        }
        return push
    }

    private func expectSound(_ client: some PushClient, key: String, tree: String) async throws {
        let unsound = try await client.unsoundness()
        #expect(unsound == "")
        let again = try await client.git(["push", client.url(), "main"], key: key, in: tree, deadline: .seconds(120))
        #expect(again.exit == .code(0), "\(again.errorText)")
        let head = try await client.head(of: tree)
        try await eventually("the branch moves") { try await client.kept("refs/heads/main") == head }
        let afterwards = try await client.unsoundness()
        #expect(afterwards == "")
        let drafts = try client.drafts()
        #expect(drafts == [])
    }

    @Test func aClientKilledWhileItSendsLeavesNothing() async throws {
        try await BuilderProcess.with(FakeController()) { builder in
            try await builder.start()
            let key = try await builder.makeKey()
            let tree = try await makeLargeTree(builder)
            for _ in 0..<3 {
                let push = try await pushUntilReceiving(builder, key: key, tree: tree)
                push.cancel()
                _ = await push.result
                try await eventually("git has cleaned up") { try builder.drafts().isEmpty }
            }
            #expect(builder.controller.runs.isEmpty)
            try await expectSound(builder, key: key, tree: tree)
            #expect(builder.controller.runs.count == 1)
        }
    }

    @Test func aBuilderKilledWhileItReceivesLeavesNothing() async throws {
        try await BuilderProcess.with(FakeController()) { builder in
            try await builder.start()
            let key = try await builder.makeKey()
            let tree = try await makeLargeTree(builder)
            for _ in 0..<3 {
                let push = try await pushUntilReceiving(builder, key: key, tree: tree)
                try await builder.kill()
                let killed = try await push.value
                #expect(killed.exit == .code(128) || killed.exit == .code(1))
                try await builder.start()
                let drafts = try builder.drafts()
                #expect(drafts == [])
            }
            // What a power cut leaves besides.
            for lock in ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "shallow.lock", "gc.pid"] {
                let path = "\(builder.repositories)/shop1.git/\(lock)"
                let folder = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try Data().write(to: URL(filePath: path))
            }
            try await builder.kill()
            try await builder.start()
            #expect(builder.controller.runs.isEmpty)
            try await expectSound(builder, key: key, tree: tree)
        }
    }

    /// The record is open and its task in the broker; the builder that received the push is gone before it could say
    /// so.
    @Test func aBuilderKilledAfterTheRecordBuildsItOnceWhenItIsBack() async throws {
        let opened = AsyncStream<String>.makeStream()
        let controller = FakeController { _, run in opened.continuation.yield(run.id) }
        let result =
            #"{"event":"result","image":"127.0.0.1:5000/shop1/shop1@sha256:ab","digest":"sha256:ab","size":7,"#
            + #""stack":"container","procfile":{},"dryccfile":{},"dockerfile":"FROM x","port":8080}"#
        try await BuilderProcess.with(
            controller, imageBuilder: "echo x >> $FOLDER/builds\ncat > /dev/null\necho '\(result)'"
        ) {
            builder in
            let broker = try AMQPConnection(
                url: Secret(try TestEnvironment.requireAMQP()), name: "test", logger: BuilderFixture.quietLogger())
            defer { broker.close() }
            try await builder.start()
            let key = try await builder.makeKey()
            let tree = try await builder.makeTree()
            let push = Task { try await builder.git(["push", builder.url(), "main"], key: key, in: tree) }
            var ids = opened.stream.makeAsyncIterator()
            let run = try #require(await ids.next())
            try await builder.kill()
            #expect(try await push.value.exit.isSuccess == false)
            // What the controller's relay does, and does again when it is killed before it has noted it.
            let task = TaskEnvelope(name: "build.run", payload: ["build_run": .string(run)])
            for _ in 0..<2 { try await TaskPublisher(connection: broker).publish(task, to: BuildQueue.queue) }
            try await builder.start()
            try await eventually("the run ends") { controller.run(run)?.isOver == true }
            try await eventually("both deliveries are settled") {
                try await broker.queueStatus(BuildQueue.queue).messages == 0
            }
            #expect(controller.run(run)?.results == 1)
            #expect(try String(contentsOfFile: builder.folder + "/builds", encoding: .utf8) == "x\n")
            #expect(controller.runs.count == 1)
            let unsound = try await builder.unsoundness()
            #expect(unsound == "")
        }
    }
}

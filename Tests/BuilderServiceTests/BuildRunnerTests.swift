import AccessTokens
import CommandRunner
import FoundationEssentials
import PlatformModel
import TestSupport
import Testing

@testable import BuilderService

/// Builds with a script in the place of imagebuilder.
@Suite(.timeLimit(.minutes(2)))
struct BuildRunnerTests {
    private static let result = #"""
        {"event":"result","image":"127.0.0.1:5000/shop1/shop1@sha256:ab","digest":"sha256:ab","size":7,\#
        "stack":"container","procfile":{"web":"run"},"dryccfile":{},"dockerfile":"FROM x","port":8080}
        """#

    private struct Bench: Sendable {
        let controller: FakeController
        let runner: BuildRunner
        let folder: String
        let run: String
    }

    /// Runs `body` with a runner whose imagebuilder is the shell script `script`.
    private func withRunner(_ script: String, _ body: @escaping @Sendable (Bench) async throws -> Void) async throws {
        let controller = FakeController { _, _ in }
        try await withTemporaryDirectory("build") { folder in
            // Written by another process: a program some child of ours still holds open for writing cannot be started.
            let program = folder + "/imagebuilder"
            try await CommandRunner.check(
                Command(
                    "sh", ["-c", #"cat > "$1" && chmod 700 "$1""#, "sh", program],
                    standardInput: Array("#!/bin/sh\n\(script)\n".utf8)))
            try await BuilderFixture.withController(controller) { port in
                let hooks = try BuilderFixture.hooks(port: port)
                let runner = BuildRunner(
                    controller: hooks,
                    process: ImageBuilderProcess(
                        program: folder + "/imagebuilder", environment: ["FOLDER": folder],
                        logger: BuilderFixture.quietLogger()),
                    storage: StorageSettings(url: "file://\(folder)"), workDirectory: folder + "/work",
                    holder: "builder-1",
                    logger: BuilderFixture.quietLogger())
                try await runner.prepare()
                let run = controller.open([
                    "receive_user": "ada", "receive_repo": "shop1", "sha": "8f3c2a1b", "source_key": "k",
                ])
                try await body(Bench(controller: controller, runner: runner, folder: folder, run: run.id))
            }
        }
    }

    @Test func aBuildIsReportedWithItsLinesInOrder() async throws {
        let script = """
            cat > $FOLDER/job
            echo '{"event":"phase","phase":"detect","text":"Dockerfile","seconds":0.02}'
            for i in 1 2 3; do echo '{"event":"line","phase":"build","text":"step '$i'"}'; done
            echo 'not JSON'
            echo '{"event":"phase","phase":"build","text":"built","seconds":1.5}'
            echo '\(Self.result)'
            """
        try await withRunner(script) { bench in
            try await bench.runner.carryOut(bench.run, attempt: 1)
            let run = try #require(bench.controller.run(bench.run))
            #expect(run.state == "live")
            #expect(run.result?.contains(#""port":8080"#) == true)
            let texts = ["Dockerfile", "step 1", "step 2", "step 3", "not JSON", "built"]
            let positions = texts.map { text in run.events.firstIndex { $0.contains(text) } ?? -1 }
            #expect(positions == positions.sorted() && !positions.contains(-1))
            let job = try String(contentsOfFile: bench.folder + "/job", encoding: .utf8)
            #expect(job.contains(#""registry_password":"secret-of-the-registry""#))
            #expect(job.contains(#""registry_insecure":true"#))
            #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder + "/work/work").isEmpty)
        }
    }

    @Test func aFailureKeepsItsReasonAndHint() async throws {
        let script =
            #"echo '{"event":"failed","phase":"build","reason":"line 7 ended with status 1","hint":"run it"}'; exit 1"#
        try await withRunner(script) { bench in
            try await bench.runner.carryOut(bench.run, attempt: 1)
            let failure = try #require(bench.controller.run(bench.run)?.failure)
            #expect(failure.contains("line 7 ended with status 1") && failure.contains("run it"))
        }
    }

    /// Without an answer of its own the task would be repeated, build and all, until its attempts are over.
    @Test func aResultTheControllerCannotUseFailsThePush() async throws {
        let result = Self.result.replacing("FROM x", with: "refuse-me")
        try await withRunner("echo '\(result)'") { bench in
            try await bench.runner.carryOut(bench.run, attempt: 1)
            let failure = try #require(bench.controller.run(bench.run)?.failure)
            #expect(
                failure.contains("The controller refused the build: dryccfile: pipeline web.yml: deploy is required"))
        }
    }

    @Test func aDeadBuildIsRepeatedOnceThenFailed() async throws {
        try await withRunner("kill -9 $$") { bench in
            await #expect(throws: BuildRunner.Retry.self) { try await bench.runner.carryOut(bench.run, attempt: 1) }
            #expect(bench.controller.run(bench.run)?.failure == nil)
            try await bench.runner.carryOut(bench.run, attempt: 2)
            #expect(bench.controller.run(bench.run)?.failure?.contains("signal 9") == true)
            #expect(bench.controller.run(bench.run)?.fence == 2)
        }
    }

    @Test func aTemporaryEndIsRetriedLater() async throws {
        try await withRunner("exit 75") { bench in
            await #expect(throws: BuildRunner.Retry.self) { try await bench.runner.carryOut(bench.run, attempt: 4) }
            try await bench.runner.carryOut(bench.run, attempt: 5)
            #expect(bench.controller.run(bench.run)?.failure?.contains("could not be reached") == true)
        }
    }

    @Test func anUnusableSetUpNamesItsReason() async throws {
        try await withRunner("echo 'buildah is not installed' >&2; exit 2") { bench in
            try await bench.runner.carryOut(bench.run, attempt: 1)
            #expect(bench.controller.run(bench.run)?.failure?.contains("buildah is not installed") == true)
        }
    }

    @Test func aRunThatIsOverIsNotBuilt() async throws {
        try await withRunner("touch $FOLDER/ran") { bench in
            bench.controller.finish(bench.run, live: true)
            try await bench.runner.carryOut(bench.run, attempt: 1)
            #expect(!FileManager.default.fileExists(atPath: bench.folder + "/ran"))
        }
    }

    @Test func cancellationEndsTheWholeProcessGroup() async throws {
        try await withRunner("sleep 600 & echo $! > $FOLDER/pid; wait") { bench in
            let task = Task { try await bench.runner.carryOut(bench.run, attempt: 1) }
            try await eventually(within: .seconds(60)) { FileManager.default.fileExists(atPath: bench.folder + "/pid") }
            bench.controller.cancel(bench.run)
            try await task.value
            let pid = try String(contentsOfFile: bench.folder + "/pid", encoding: .utf8).filter(\.isNumber)
            try await eventually(within: .seconds(60)) { !FileManager.default.fileExists(atPath: "/proc/\(pid)/fd/0") }
            #expect(bench.controller.run(bench.run)?.result == nil)
        }
    }

    /// What a builder's own `kill -9` leaves: the next start ends it before it begins anything.
    @Test func theBuildsOfAKilledBuilderAreEndedAtTheNextStart() async throws {
        try await withRunner("sleep 600 & echo $! > $FOLDER/pid; wait") { bench in
            let task = Task { try await bench.runner.carryOut(bench.run, attempt: 1) }
            try await eventually { FileManager.default.fileExists(atPath: bench.folder + "/pid") }
            try await bench.runner.prepare()
            #expect(WorkFolderProcesses.running(in: bench.folder + "/work/work").isEmpty)
            await #expect(throws: BuildRunner.Retry.self) { try await task.value }
            #expect(bench.controller.run(bench.run)?.result == nil)
        }
    }

    @Test func aBuilderThatIsFencedOffReportsNothing() async throws {
        try await withRunner("echo $$ > $FOLDER/pid; cat $FOLDER/go > /dev/null; echo '\(Self.result)'") { bench in
            let go = bench.folder + "/go"
            #expect(makePipe(go))
            let task = Task { try await bench.runner.carryOut(bench.run, attempt: 1) }
            try await eventually(within: .seconds(60)) { FileManager.default.fileExists(atPath: bench.folder + "/pid") }
            bench.controller.fenceOff(bench.run)
            try Data("x".utf8).write(to: URL(filePath: go))
            try await task.value
            #expect(bench.controller.run(bench.run)?.result == nil)
        }
    }

    @Test func aControllerAwayForAWhileIsWaitedFor() async throws {
        try await withRunner("echo '\(Self.result)'") { bench in
            let task = Task { try await bench.runner.carryOut(bench.run, attempt: 1) }
            try await eventually(within: .seconds(60)) { (bench.controller.run(bench.run)?.fence ?? 0) == 1 }
            bench.controller.fail(next: 4)
            try await task.value
            #expect(bench.controller.run(bench.run)?.state == "live")
        }
    }

    @Test(arguments: [
        ("127.0.0.1:5000/a/b", true), ("localhost:5000/a", true), ("[::1]:5000/a", true),
        ("127.0.0.1.example.com/a", false),
        ("localhost.example.com/a", false), ("registry.example.com/a", false),
    ])
    func onlyThisMachineMayBeInsecure(reference: String, isLoopback: Bool) {
        #expect(BuildJob.isLoopback(reference) == isLoopback)
    }
}

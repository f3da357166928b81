import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

@testable import BuilderService

/// Newest push wins, on the real broker; a script stands in the place of imagebuilder.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct BurstTests {
    /// Ends only for the last source; every other build would go on for ever.
    private static let script = """
        cat > "$FOLDER/job.$$"
        echo "$$" >> "$FOLDER/begun"
        if grep -q '"source_key":"last"' "$FOLDER/job.$$"; then
            echo '{"event":"result","image":"127.0.0.1:5000/shop1/shop1@sha256:ab","digest":"sha256:ab","size":7,\
        "stack":"container","procfile":{},"dryccfile":{},"dockerfile":"FROM x","port":8080}'
            exit 0
        fi
        sleep 600
        """

    private func withQueue(
        _ script: String, _ body: @escaping @Sendable (QueueFixture, BuildRunner) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("burst") { folder in
            let program = folder + "/imagebuilder"
            try await CommandRunner.check(
                Command(
                    "sh", ["-c", #"cat > "$1" && chmod 700 "$1""#, "sh", program],
                    standardInput: Array("#!/bin/sh\n\(script)\n".utf8)))
            try await QueueFixture.with(folder: folder) { queue in
                let runner = try await queue.runner(
                    program: program, environment: ["FOLDER": folder], storage: "file://\(folder)")
                try await body(queue, runner)
            }
        }
    }

    private static func begun(_ queue: QueueFixture) -> Int {
        do {
            return try String(contentsOfFile: queue.folder + "/begun", encoding: .utf8).split(separator: "\n").count
        } catch {
            // Nothing has begun.
            return 0
        }
    }

    @Test func fiftyPushesBeginTwoBuildsAndTheLastIsLive() async throws {
        try await withQueue(Self.script) { queue, runner in
            try await queue.working(runner) {
                let controller = queue.controller
                for number in 1...50 {
                    let key = number == 50 ? "last" : "source-\(number)"
                    let run = controller.open(["receive_repo": "shop1", "receive_user": "ada", "source_key": key])
                    try await queue.publish(run.id)
                    if number == 1 { try await eventually("the first build runs") { Self.begun(queue) == 1 } }
                }
                try await eventually("the last run is live") { controller.runs.last?.state == "live" }
                #expect(controller.runs.dropLast().allSatisfy { $0.state == "superseded" && $0.results == 0 })
                #expect(Self.begun(queue) == 2)
                try await queue.expectSettled()
            }
            let left = WorkFolderProcesses.running(in: queue.folder)
            #expect(left.isEmpty)
            #expect(try FileManager.default.contentsOfDirectory(atPath: queue.folder + "/builder-1/work").isEmpty)
        }
    }

    @Test func aRunAnotherBuilderHoldsIsTakenWhenItsLeaseHasEnded() async throws {
        try await withQueue(Self.script) { queue, runner in
            let run = queue.controller.open(["receive_repo": "shop1", "receive_user": "ada", "source_key": "last"])
            queue.controller.hold(run.id, by: "builder-2", refusing: 2)
            await #expect(throws: BuildRunner.Retry(reason: "another builder holds the run")) {
                try await runner.carryOut(run.id, attempt: 1)
            }
            #expect(Self.begun(queue) == 0)
            try await queue.working(runner) {
                try await queue.publish(run.id)
                try await eventually("the run is live") { queue.controller.run(run.id)?.state == "live" }
            }
            #expect(queue.controller.run(run.id)?.refusals == 0)
            #expect(Self.begun(queue) == 1)
            #expect(queue.controller.run(run.id)?.results == 1)
        }
    }

    @Test func aRunThatIsOverIsOnlyAcknowledged() async throws {
        try await withQueue(Self.script) { queue, runner in
            let run = queue.controller.open(["receive_repo": "shop1", "receive_user": "ada", "source_key": "last"])
            queue.controller.finish(run.id, live: true)
            try await queue.working(runner) {
                try await queue.publish(run.id)
                try await queue.publish(UUID().uuidString)
                try await queue.expectSettled()
            }
            #expect(Self.begun(queue) == 0)
            #expect(try await queue.deadLetters() == 0)
        }
    }

    @Test func aTaskThatNamesNoRunIsADeadLetter() async throws {
        try await withQueue(Self.script) { queue, runner in
            try await queue.working(runner) {
                try await queue.publishWithoutRun()
                try await eventually("it is dead") { try await queue.deadLetters() == 1 }
            }
        }
    }
}

import CommandRunner
import ConcurrencyPrimitives
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct CommandRunnerTests {
    @Test func outputAndStatusAreReturned() async throws {
        let result = try await CommandRunner.run(Command("sh", ["-c", "echo out; echo err >&2; exit 3"]))
        #expect(result.text == "out")
        #expect(result.errorText == "err")
        #expect(result.exit == .code(3))
    }

    @Test func theEnvironmentIsNotInherited() async throws {
        setenv("WORKFLOW_LEAK", "1", 1)
        let result = try await CommandRunner.run(Command("env", environment: ["GIVEN": "yes"]))
        #expect(result.text.contains("GIVEN=yes"))
        #expect(!result.text.contains("WORKFLOW_LEAK"))
    }

    @Test func inputReachesTheProgram() async throws {
        let input = [UInt8](repeating: 65, count: 300_000)
        #expect(try await CommandRunner.run(Command("wc", ["-c"], standardInput: input)).text == "300000")
    }

    @Test func theDeadlineStopsTheWholeGroup() async throws {
        try await withTemporaryDirectory { directory in
            let script = "sh -c 'echo $$ > child; exec sleep 600' & wait"
            await #expect(throws: CommandError.self) {
                try await CommandRunner.run(
                    Command("sh", ["-c", script], workingDirectory: directory, deadline: .milliseconds(700)))
            }
            let text = try String(contentsOfFile: directory + "/child", encoding: .utf8)
            let child = try #require(Int32(text.filter(\.isNumber)))
            try await eventually("the grandchild ends") { kill(child, 0) != 0 }
        }
    }

    @Test func cancellationStopsTheProgram() async throws {
        let task = Task { try await CommandRunner.run(Command("sleep", ["600"])) }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }

    @Test func tooMuchOutputIsAnError() async throws {
        let error = await #expect(throws: CommandError.self) {
            try await CommandRunner.run(Command("head", ["-c", "100000", "/dev/zero"], outputLimit: 1000))
        }
        #expect(error?.code == .tooMuchOutput)
    }

    @Test func aMissingProgramIsNamed() async throws {
        let error = await #expect(throws: CommandError.self) { try await CommandRunner.run(Command("no-such-program")) }
        #expect(error?.code == .notFound)
        #expect(error?.program == "no-such-program")
    }

    @Test func aFailedCheckQuotesTheProgram() async throws {
        let error = await #expect(throws: CommandError.self) {
            try await CommandRunner.check(Command("sh", ["-c", "echo broken >&2; exit 1"]))
        }
        #expect(error?.detail.contains("broken") == true)
    }

    @Test func linesComeAsTheyAreWritten() async throws {
        let channel = BoundedChannel<String>(limit: 10)
        let exit = try await CommandRunner.stream(Command("printf", ["a\\nb\\n\\xff\\nlast"])) { line in
            await channel.send(line.text)
        }
        channel.finish()
        var lines: [String] = []
        for try await line in channel { lines.append(line) }
        #expect(exit.isSuccess)
        #expect(lines == ["a", "b", "\u{FFFD}", "last"])
    }
}

import BuildTestSupport
import CommandRunner
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import BuilderService

/// Tasks from the real broker, carried out by the shipped imagebuilder with real buildah.
@Suite(
    .enabled(if: TestEnvironment.isRequired || BuildHost.isPossible && TestEnvironment.hasServers),
    .timeLimit(.minutes(5)))
struct RealBuildTests {
    /// Hangs on the first base image and ends on the second, which has the file `/go`.
    private static let hanging = [
        "Dockerfile": """
        FROM docker.io/library/busybox:latest
        RUN echo begun; if [ ! -e /go ]; then sleep 600; fi; echo ended
        CMD ["true"]
        """
    ]

    private struct Bench: Sendable {
        let host: BuildHost
        let queue: QueueFixture
        let run: String

        var controller: FakeController { queue.controller }

        func hasLine(_ text: String) -> Bool {
            controller.run(run)?.events.contains { $0.contains("\"text\":\"\(text)\"") } == true
        }

        func runner() async throws -> BuildRunner {
            try await queue.runner(
                program: try builtProgram("imagebuilder"), environment: host.environment(), storage: host.storageURL)
        }

        /// Everything of the host, and the work folders of the runner.
        func leftovers() async throws -> [String] {
            let work = host.directory + "/work/builder-1/work"
            return try await host.leftovers() + FileManager.default.contentsOfDirectory(atPath: work)
        }
    }

    private func withBench(_ files: [String: String], _ body: @escaping @Sendable (Bench) async throws -> Void)
        async throws
    {
        try await withBuildHost { host in
            let source = try await host.makeSource(files)
            try await QueueFixture.with(folder: host.directory + "/work") { queue in
                queue.controller.setRegistry(repository: host.repository, password: BuildHost.password)
                let run = queue.controller.open([
                    "receive_user": "ada", "receive_repo": "shop1", "sha": "8f3c2a1b6f0e4f0c9a51d6b2f6a4c9e8d7b6a5f4",
                    "source_key": source.key, "source_digest": source.digest,
                ])
                try await body(Bench(host: host, queue: queue, run: run.id))
            }
        }
    }

    @Test func aKilledImageBuilderIsRedeliveredAndLeavesNothing() async throws {
        try await withBench(Self.hanging) { bench in
            try await bench.queue.working(try await bench.runner()) {
                try await bench.queue.publish(bench.run)
                try await eventually("the step runs") { bench.hasLine("begun") }
                try await bench.host.makeBaseImage(files: ["go"])
                let builder = bench.host.processes(below: bench.host.directory + "/work").first { process in
                    process.arguments.first?.hasSuffix("/imagebuilder") == true
                }
                try #require(builder).send(signal: SIGKILL)
                try await eventually(within: .seconds(120), "the run ends") {
                    bench.controller.run(bench.run)?.isOver == true
                }
                let run = try #require(bench.controller.run(bench.run))
                #expect(run.state == "live", "\(run.failure ?? "")")
                #expect(run.results == 1)
                #expect(run.fence == 2)
                try await bench.queue.expectSettled()
            }
            let leftovers = try await bench.leftovers()
            #expect(leftovers == [])
        }
    }

    /// The builder is gone together with its imagebuilder and buildah; only the step in its container lives on.
    @Test func whatAKilledBuilderLeftIsEndedAtTheNextStart() async throws {
        try await withBench(Self.hanging) { bench in
            let runner = try await bench.runner()
            let first = Task { try await runner.carryOut(bench.run, attempt: 1) }
            try await eventually("the step runs") { bench.hasLine("begun") }
            try await bench.host.makeBaseImage(files: ["go"])
            // A second builder of the same name begins as one does after `kill -9` of the first.
            let second = try await bench.runner()
            _ = await first.result
            let steps = try await bench.host.leftovers().filter { !$0.hasPrefix("container") && !$0.hasPrefix("mount") }
            #expect(steps == [])
            try await second.carryOut(bench.run, attempt: 2)
            #expect(bench.controller.run(bench.run)?.results == 1)
            let leftovers = try await bench.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test func aTaskThatComesTwiceIsBuiltOnce() async throws {
        try await withBench(["Dockerfile": "FROM docker.io/library/busybox:latest\nRUN echo begun\n"]) { bench in
            try await bench.queue.working(try await bench.runner()) {
                let id = try await bench.queue.publish(bench.run)
                try await bench.queue.publish(bench.run, id: id)
                try await eventually("the run ends") { bench.controller.run(bench.run)?.isOver == true }
                try await bench.queue.publish(bench.run, id: id)
                try await bench.queue.publish(bench.run)
                try await bench.queue.expectSettled()
            }
            let run = try #require(bench.controller.run(bench.run))
            #expect(run.state == "live" && run.results == 1)
            #expect(run.events.filter { $0.contains("\"text\":\"begun\"") }.count == 1)
            let leftovers = try await bench.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test func aCancelledRunEndsItsStep() async throws {
        try await withBench(Self.hanging) { bench in
            try await bench.queue.working(try await bench.runner()) {
                try await bench.queue.publish(bench.run)
                try await eventually("the step runs") { bench.hasLine("begun") }
                bench.controller.cancel(bench.run)
                try await eventually("the build ends") {
                    bench.host.processes(below: bench.host.directory + "/work").isEmpty
                }
            }
            #expect(bench.controller.run(bench.run)?.results == 0)
            // A buildah that had to be killed leaves its working container to the next build.
            let next = try await bench.host.build(["Dockerfile": "FROM docker.io/library/busybox:latest\n"])
            #expect(next.exit == .code(0))
            let leftovers = try await bench.leftovers()
            #expect(leftovers == [])
        }
    }
}

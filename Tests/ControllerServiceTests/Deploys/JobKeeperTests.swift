import FoundationEssentials
import PlatformModel
import Postgres
import TestSupport
import Testing

@testable import ControllerService

/// One-off commands over a real database and an engine in memory.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct JobKeeperTests {
    private func withJob(
        timeout: Int = 3600, expires: Int = 3600,
        _ body: @Sendable (DeployFixture, RunJob) async throws -> Void
    ) async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await body(
                fixture, try await fixture.run(["rake", "db:migrate"], timeout: timeout, expires: expires))
        }
    }

    private func rows(_ fixture: DeployFixture) async throws -> [RunJob] {
        try await RunJobStore().all(of: fixture.app, in: fixture.pool)
    }

    private func observed(_ fixture: DeployFixture) async throws -> [String] {
        try await ObservedPodStore().all(of: fixture.app, in: fixture.pool).map { "\($0.name) \($0.ptype) \($0.state)" }
    }

    @Test func aCommandRunsWithTheAppsImageAndItsEndIsWrittenDown() async throws {
        try await withJob { fixture, job in
            try await fixture.jobs.converge(fixture.app, for: .task)
            let pod = try #require(fixture.engine.all.first)
            #expect(pod.name.text == job.pod && pod.processType == .run && pod.image == "registry/shop@sha256:1")
            #expect(pod.arguments == ["rake", "db:migrate"] && pod.command.isEmpty && pod.endpoint == nil)
            #expect(try await observed(fixture) == ["\(job.pod) run up"])
            fixture.engine.end(pod.name, code: 3)
            try await fixture.jobs.converge(fixture.app, for: .look)
            let row = try #require(try await rows(fixture).first)
            #expect(row.state == .crashed && row.exitCode == 3 && row.finished != nil)
            #expect(try await observed(fixture) == ["\(job.pod) run crashed"])
            #expect(fixture.engine.history == ["start run v1"])
        }
    }

    @Test func aWorkerThatFollowsAKilledOneDoesNotRunTheCommandTwice() async throws {
        try await withJob { fixture, job in
            // Killed after the start, before the row said so; then the command ended.
            let app = try #require(try await AppStore().find(fixture.app, in: fixture.pool))
            let workload = try await fixture.converger.plans.plan(for: job.release, of: app).oneOff(job)
            _ = try await fixture.engine.start(workload, as: PodName(job.pod), fence: 0)
            fixture.engine.end(PodName(job.pod), code: 0)
            try await fixture.jobs.converge(fixture.app, for: .task)
            let row = try #require(try await rows(fixture).first)
            #expect(row.state == .down && row.exitCode == 0)
            #expect(fixture.engine.history == ["start run v1"])
        }
    }

    @Test func aCommandLostWithItsMachineIsNotStartedAgain() async throws {
        try await withJob { fixture, _ in
            try await fixture.jobs.converge(fixture.app, for: .task)
            fixture.engine.loseEverything()
            try await fixture.jobs.converge(fixture.app, for: .look)
            let row = try #require(try await rows(fixture).first)
            #expect(row.state == .crashed && row.exitCode == nil)
            #expect(row.message == "The command was lost with the machine it ran on.")
            #expect(fixture.engine.history == ["start run v1"])
        }
    }

    @Test func anEngineThatIsAwayIsTriedAgain() async throws {
        try await withJob { fixture, _ in
            fixture.engine.setAway(true)
            await #expect(throws: EngineError.self) { try await fixture.jobs.converge(fixture.app, for: .task) }
            #expect(try await rows(fixture).map(\.state) == [.pending])
            fixture.engine.setAway(false)
            try await fixture.jobs.converge(fixture.app, for: .task)
            #expect(try await rows(fixture).map(\.state) == [.running])
        }
    }

    @Test func finishedCommandsAreKeptForTheirTimeOnly() async throws {
        try await withJob(expires: 60) { fixture, job in
            try await fixture.jobs.converge(fixture.app, for: .task)
            fixture.engine.end(PodName(job.pod), code: 0)
            try await fixture.jobs.converge(fixture.app, for: .look)
            #expect(fixture.engine.all.count == 1)
            try await fixture.pool.execute("UPDATE run_jobs SET finished = now() - interval '61 seconds'")
            try await fixture.jobs.converge(fixture.app, for: .look)
            #expect(fixture.engine.all.isEmpty)
            #expect(try await rows(fixture).isEmpty)
            #expect(try await observed(fixture).isEmpty)
        }
    }

    @Test func aCommandTheEngineDoesNotEndIsEndedAfterItsTime() async throws {
        try await withJob(timeout: 10) { fixture, _ in
            try await fixture.jobs.converge(fixture.app, for: .task)
            try await fixture.pool.execute("UPDATE run_jobs SET started = now() - interval '60 seconds'")
            try await fixture.jobs.converge(fixture.app, for: .look)
            #expect(fixture.engine.all.isEmpty)
            let row = try #require(try await rows(fixture).first)
            #expect(row.state == .crashed)
            #expect(row.message == "The command ran longer than its 10 s and was ended.")
        }
    }

    @Test func deletedPodsOfCommandsGoAndNobodyElsesDo() async throws {
        try await withJob { fixture, job in
            try await fixture.converger.converge(fixture.app, for: .task)
            try await fixture.jobs.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.count == 2)
            _ = try await ObservedPodStore().requestDeletion(of: [job.pod], app: fixture.app, in: fixture.pool)
            try await fixture.converger.converge(fixture.app, for: .task)
            try await fixture.jobs.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.map(\.processType) == [.web])
            #expect(try await rows(fixture).isEmpty)
        }
    }
}

import Testing

@testable import ControllerService

/// What every engine must do; run over the one in memory and over podman, so that the fake cannot lie.
struct WorkloadEngineContract: Sendable {
    let engine: any WorkloadEngine

    func verify() async throws {
        let fixture = try EngineFixture()
        try await startingTwiceIsStartingOnce(fixture)
        try await appsAreSeparate(fixture)
        try await olderFencesAreRefused(fixture)
        try await removingTwiceIsRemovingOnce(fixture)
    }

    private func startingTwiceIsStartingOnce(_ fixture: EngineFixture) async throws {
        let workload = try fixture.workload(EngineFixture.server)
        let pod = PodName(for: workload)
        try await engine.prepare(workload.image, credentials: nil)
        let first = try await engine.start(workload, as: pod, fence: 3)
        let second = try await engine.start(workload, as: pod, fence: 3)
        #expect(first.name == pod)
        #expect(first.isRunning && second.isRunning)
        #expect(first.release == workload.release)
        #expect(first.fence == 3)
        #expect(first.endpoint?.port == 8080)
        #expect(first.endpoint == second.endpoint)
        let words = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
        #expect(!words.isEmpty)
        #expect(try await engine.pods(of: fixture.app).map(\.name) == [pod])
    }

    private func appsAreSeparate(_ fixture: EngineFixture) async throws {
        let other = try EngineFixture()
        let workload = try other.workload(EngineFixture.server)
        _ = try await engine.start(workload, as: PodName(for: workload), fence: 1)
        #expect(try await engine.pods(of: fixture.app).count == 1)
        #expect(try await engine.pods(of: other.app).map(\.app) == [other.app])
        #expect(try await engine.pods(of: nil).count == 2)
        for pod in try await engine.pods(of: other.app) { try await engine.remove(pod.name, grace: .zero) }
        try await engine.removeApp(other.app)
    }

    private func olderFencesAreRefused(_ fixture: EngineFixture) async throws {
        let workload = try fixture.workload(EngineFixture.server)
        let error = await #expect(throws: EngineError.self) {
            try await engine.start(workload, as: PodName(for: workload), fence: 2)
        }
        #expect(error?.code == .fenced)
        #expect(try await engine.pods(of: fixture.app).count == 1)
    }

    private func removingTwiceIsRemovingOnce(_ fixture: EngineFixture) async throws {
        for pod in try await engine.pods(of: fixture.app) {
            try await engine.remove(pod.name, grace: .seconds(2))
            try await engine.remove(pod.name, grace: .seconds(2))
        }
        #expect(try await engine.pods(of: fixture.app).isEmpty)
        try await engine.removeApp(fixture.app)
        try await engine.removeApp(fixture.app)
    }
}

import CommandRunner
import FoundationEssentials
import Glibc
import Logging
import PlatformModel
import PodmanClient
import PodmanTestSupport
import ServiceLifecycle
import TestSupport
import Testing

@testable import ControllerService

@Suite(.enabled(if: PodmanService.isPossible), .timeLimit(.minutes(5)))
struct PodSupervisorTests {
    @Test func aReadyPodThatDiesComesBack() async throws {
        try await withPodmanEngine { engine, service in
            let workload = try EngineFixture().workload(EngineFixture.server)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            try await supervising(engine) {
                try await service.podman.killContainer(pod.text, signal: "SIGKILL")
                try await eventually(within: .seconds(20), "the pod takes requests again") {
                    let status = try await engine.pods(of: workload.app).first
                    return status?.restarts == 1 && status?.endpoint != nil
                }
            }
            let status = try #require(try await engine.pods(of: workload.app).first)
            #expect(status.isRunning)
            #expect(status.lastExit?.code == 137)
        }
    }

    /// What happens to a pod right after its monitor's death.
    enum Aftermath: CaseIterable {
        case nothing, killed, stopped
    }

    /// Nobody reads what such a process writes, and podman never learns how it ends.
    @Test(arguments: Aftermath.allCases) func aPodWhoseMonitorIsKilledIsRemoved(then: Aftermath) async throws {
        try await withPodmanEngine { engine, service in
            let workload = try EngineFixture().workload(EngineFixture.server)
            let (orphan, other) = (PodName(for: workload), PodName(for: workload))
            for pod in [orphan, other] {
                _ = try await engine.start(workload, as: pod, fence: 1)
                _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            }
            try await supervising(engine) {
                let containers = try await engine.containers()
                #expect(containers.count == 2 && engine.orphans(among: containers).isEmpty)
                let container = try #require(containers.first { $0.name == orphan.text })
                let process = try #require(ProcessIdentity(pid: Int32(container.processID)))
                try #require(ProcessIdentity(pid: process.parent)).send(signal: SIGKILL)
                switch then {
                case .nothing: break
                case .killed: process.send(signal: SIGKILL)
                case .stopped:
                    // The stop of a liveness probe; podman waits in vain to hear of the end.
                    try await service.podman.stopContainer(orphan.text, grace: .seconds(1))
                    #expect(try await engine.containers().first { $0.name == orphan.text }?.status == .stopping)
                }
                try await eventually(within: .seconds(40), "the pod is gone") {
                    try await engine.containers().map(\.name) == [other.text]
                }
                try await eventually("and its process") { !process.isAlive }
            }
            let status = try #require(try await engine.pods(of: workload.app).first)
            #expect(status.isReady && status.restarts == 0)
        }
    }

    /// The process lives, but its check fails while something stands in the file; a start empties it.
    private static let perishable = ["sh", "-c", ": > /tmp/sick; exec httpd -f -p 8080 -h /bin"]
    private static let check = EngineFixture.probe(
        .exec(command: ["sh", "-c", "[ ! -s /tmp/sick ]"]), period: .milliseconds(200))

    private static func infect(_ pod: PodName, in service: PodmanService) async throws {
        _ = try await service.podman.exec(in: pod.text, command: ["sh", "-c", "echo sick > /tmp/sick"])
    }

    private static func cure(_ pod: PodName, in service: PodmanService) async throws {
        _ = try await service.podman.exec(in: pod.text, command: ["sh", "-c", ": > /tmp/sick"])
    }

    @Test func aPodThatFailsItsLivenessProbeIsStartedAgain() async throws {
        try await withPodmanEngine { engine, service in
            let fixture = try EngineFixture()
            let workload = try fixture.workload(Self.perishable, probes: Probes(liveness: Self.check))
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            try await supervising(engine) {
                try await Self.infect(pod, in: service)
                try await eventually(within: .seconds(40), "the pod works again") {
                    let status = try await engine.pods(of: workload.app).first
                    return status?.restarts == 1 && status?.isReady == true && status?.endpoint != nil
                }
            }
            let status = try #require(try await engine.pods(of: workload.app).first)
            #expect(status.lastExit?.reason == "Liveness probe failed: sh exited with 1")
        }
    }

    @Test func aPodThatIsNotReadyTakesNoRequestsUntilItIs() async throws {
        try await withPodmanEngine { engine, service in
            let workload = try EngineFixture().workload(Self.perishable, readiness: Self.check)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            try await supervising(engine) {
                try await Self.infect(pod, in: service)
                try await eventually(within: .seconds(40), "the pod is taken out") {
                    let status = try #require(try await engine.pods(of: workload.app).first)
                    return status.isRunning && !status.isReady && status.endpoint == nil && status.isKept
                }
                try await Self.cure(pod, in: service)
                try await eventually(within: .seconds(40), "the pod is back") {
                    try await engine.pods(of: workload.app).first?.endpoint != nil
                }
            }
            #expect(try await engine.pods(of: workload.app).first?.restarts == 0)
        }
    }

    @Test func aPodThatWasNeverReadyIsLeftToItsDeploy() async throws {
        try await withPodmanEngine { engine, service in
            let workload = try EngineFixture().workload(["true"], type: "worker", port: nil)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            _ = try await service.podman.waitForContainer(pod.text)
            let next = try await supervisor(engine).sweep()
            #expect(next == nil)
            #expect(try await engine.pods(of: workload.app).first?.hasEnded == true)
        }
    }

    @Test func repeatedEndsAreAnsweredWithGrowingPauses() async throws {
        try await withPodmanEngine { engine, service in
            let workload = try EngineFixture().workload(["sh", "-c", "sleep 1.5"], type: "worker", port: nil)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            let supervisor = supervisor(engine)
            for expected in [0.0, 10, 20] {
                _ = try await service.podman.waitForContainer(pod.text)
                let wait = try await supervisor.sweep()
                if expected == 0 {
                    #expect(wait == nil)
                } else {
                    #expect((expected - 5...expected).contains((wait ?? .zero) / .seconds(1)))
                    let status = try await engine.pods(of: workload.app).first
                    #expect(status?.isKept == true && status?.isRunning == false)
                    _ = try await supervisor.sweep(now: Date.now.addingTimeInterval(expected))
                }
                #expect(try await engine.pods(of: workload.app).first?.isRunning == true)
            }
            #expect(try await engine.pods(of: workload.app).first?.restarts == 3)
            // With the platform it stops and starts as often as somebody wants.
            _ = try await service.podman.waitForContainer(pod.text)
            let next = PodSupervisor(engine: engine, logger: engine.logger, begun: .now)
            #expect(try await next.sweep() == nil)
            #expect(try await engine.pods(of: workload.app).first?.isRunning == true)
        }
    }

    @Test func outputOfRemovedPodsGoesAfterAWhile() async throws {
        try await withPodmanEngine { engine, _ in
            let workload = try EngineFixture().workload(EngineFixture.server)
            let (kept, removed) = (PodName(for: workload), PodName(for: workload))
            for pod in [kept, removed] { _ = try await engine.start(workload, as: pod, fence: 1) }
            try await engine.remove(removed, grace: .zero)
            let supervisor = supervisor(engine)
            _ = try await supervisor.sweep()
            #expect(try folders(engine).count == 2)
            _ = try await supervisor.sweep(now: Date.now.addingTimeInterval(3600))
            #expect(try folders(engine).map { $0.contains(kept.text) } == [true])
        }
    }

    private func folders(_ engine: PodmanEngine) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: engine.configuration.logDirectory)
    }

    private func supervisor(_ engine: PodmanEngine) -> PodSupervisor {
        PodSupervisor(engine: engine, logger: engine.logger)
    }

    private func supervising(_ engine: PodmanEngine, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.supervisor(engine).run() }
            try await body()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

import FoundationEssentials
import PlatformModel
import Postgres
import TaskOutbox
import TestSupport
import Testing

@testable import ControllerService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct AppConvergerTests {
    @Test func aFirstReleaseIsStartedAndRouted() async throws {
        try await DeployFixture.run { fixture in
            let deployment = try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(deployment.uuid) == .succeed)
            #expect(fixture.engine.history == ["start web v1", "ready web v1"])
            #expect(try await fixture.backends().map(\.port) == [8080])
            #expect(try await AppStore().find(fixture.app, in: fixture.pool)?.liveRelease == deployment.release)
            let pods = try await ObservedPodStore().all(of: fixture.app, in: fixture.pool)
            #expect(pods.map(\.state) == ["up"])
        }
    }

    @Test func theNewReleaseServesBeforeTheOldOneStops() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            try await fixture.push("registry/shop@sha256:2")
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(
                fixture.engine.history == [
                    "start web v1", "ready web v1", "start web v2", "ready web v2", "remove web v1",
                ])
            #expect(try await fixture.backends().count == 1)
        }
    }

    /// An old process may take its whole grace period to end; nobody waits for that with the good news.
    @Test func aReleaseIsLiveBeforeTheOldProcessesHaveStopped() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            fixture.engine.holdRemovals()
            let newer = try await fixture.push("registry/shop@sha256:2")
            async let task: Void = fixture.converger.converge(fixture.app, for: .task)
            try await fixture.engine.awaitHeld()
            #expect(try await fixture.deployment(newer.uuid) == .succeed)
            #expect(try await fixture.backends().count == 1)
            let pods = try await ObservedPodStore().all(of: fixture.app, in: fixture.pool)
            #expect(Set(pods.map { "v\($0.release) \($0.state)" }) == ["v1 terminating", "v2 up"])
            fixture.engine.letGo()
            try await task
            #expect(fixture.engine.all.map(\.release.value) == [2])
        }
    }

    @Test func aSickReleaseLeavesTheOldOneServing() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            let before = try await fixture.backends()
            fixture.engine.makeSick("registry/shop@sha256:2")
            let bad = try await fixture.push("registry/shop@sha256:2")
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(bad.uuid) == .crashed)
            #expect(try await fixture.backends() == before)
            #expect(fixture.engine.all.map(\.release.value) == [1])
            let release = try #require(try await ReleaseStore().find(bad.release, in: fixture.pool))
            #expect(release.state == .crashed && release.failed)
            #expect(release.exception == "The process web exited with status 1.")
        }
    }

    @Test func convergingTwiceChangesNothing() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(fixture.engine.history == ["start web v1", "ready web v1"])
        }
    }

    @Test func scalingStartsAndStopsInstances() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            try await fixture.scale(["web": 3])
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.count == 3)
            #expect(try await fixture.backends().count == 3)
            try await fixture.scale(["web": 0])
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.isEmpty)
            #expect(try await fixture.backends().isEmpty)
        }
    }

    @Test func everythingIsStartedAgainAfterALoss() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            fixture.engine.loseEverything()
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.count == 1)
            #expect(try await fixture.backends().count == 1)
        }
    }

    @Test func anEngineThatIsAwayIsTriedAgainWithoutFailingTheRelease() async throws {
        try await DeployFixture.run { fixture in
            let deployment = try await fixture.push("registry/shop@sha256:1")
            fixture.engine.setAway(true)
            await #expect(throws: EngineError.self) { try await fixture.converger.converge(fixture.app, for: .task) }
            #expect(try await fixture.deployment(deployment.uuid) == .running)
            fixture.engine.setAway(false)
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(deployment.uuid) == .succeed)
        }
    }

    @Test func onlyTheNewestOfTwoPushesIsDeployed() async throws {
        try await DeployFixture.run { fixture in
            let older = try await fixture.push("registry/shop@sha256:1")
            let newer = try await fixture.push("registry/shop@sha256:2")
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(older.uuid) == .superseded)
            #expect(try await fixture.deployment(newer.uuid) == .succeed)
            #expect(fixture.engine.history == ["start web v2", "ready web v2"])
        }
    }

    @Test func theNewestPushDoesNotWaitForTheHealthOfTheOneBefore() async throws {
        try await DeployFixture.run { fixture in
            fixture.engine.hold("registry/shop@sha256:1")
            let older = try await fixture.push("registry/shop@sha256:1")
            async let task: Void = fixture.converger.converge(fixture.app, for: .task)
            try await fixture.engine.awaitHeld()
            let newer = try await fixture.push("registry/shop@sha256:2")
            try await task
            #expect(try await fixture.deployment(older.uuid) == .superseded)
            #expect(try await fixture.deployment(newer.uuid) == .succeed)
            #expect(fixture.engine.history == ["start web v1", "remove web v1", "start web v2", "ready web v2"])
        }
    }

    @Test func aDestroyedAppLeavesNothing() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            let app = try #require(try await AppStore().find(fixture.app, in: fixture.pool))
            try await fixture.pool.withTransaction { try await AppStore().destroy(app, by: "ada", in: $0) }
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.isEmpty)
            #expect(fixture.engine.removedApps == [app.id])
            #expect(try await AppStore().destroyedName(fixture.app, in: fixture.pool) == nil)
        }
    }

    @Test func whatAKilledWorkerStartedMustStillProveItself() async throws {
        try await DeployFixture.run { fixture in
            let deployment = try await fixture.push("registry/shop@sha256:1")
            _ = try await fixture.startUnproven(deployment)
            fixture.engine.makeSick("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(deployment.uuid) == .crashed)
            #expect(try await fixture.backends().isEmpty)
            #expect(fixture.engine.all.isEmpty)
        }
    }

    @Test func aHealthyPodOfAKilledWorkerIsUsedAndNotDoubled() async throws {
        try await DeployFixture.run { fixture in
            let deployment = try await fixture.push("registry/shop@sha256:1")
            let pod = try await fixture.startUnproven(deployment)
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(deployment.uuid) == .succeed)
            #expect(fixture.engine.all.map(\.name) == [pod])
            #expect(try await fixture.backends().count == 1)
        }
    }

    @Test func leftoversOfAFirstDeployThatFailedAreRemoved() async throws {
        try await DeployFixture.run { fixture in
            fixture.engine.makeSick("registry/shop@sha256:1")
            let deployment = try await fixture.push("registry/shop@sha256:1")
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(try await fixture.deployment(deployment.uuid) == .crashed)
            try await fixture.pool.execute("UPDATE apps SET structure = '{\"web\": 1}' WHERE uuid = \(fixture.app)")
            _ = try await fixture.startUnproven(deployment)
            try await fixture.converger.converge(fixture.app, for: .task)
            #expect(fixture.engine.all.isEmpty)
        }
    }

    @Test func twoWorkersDoNotMeet() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            let leases = LeaseStore(pool: fixture.pool)
            let fence = try #require(
                try await leases.acquire(fixture.leaseKey, holder: "other", for: .seconds(60)))
            let impatient = fixture.converger(patience: .zero)
            await #expect(throws: LeaseHeld.self) { try await impatient.converge(fixture.app, for: .task) }
            #expect(fixture.engine.history.isEmpty)
            async let waiting: Void = fixture.converger.converge(fixture.app, for: .task)
            try await leases.release(fixture.leaseKey, fence: fence)
            try await waiting
            #expect(fixture.engine.all.count == 1)
        }
    }

    /// A worker that was killed cannot give its lease back; it is not waited for when it is known to be dead.
    @Test func theLeaseOfADeadWorkerIsTakenAtOnce() async throws {
        try await DeployFixture.run { fixture in
            try await fixture.push("registry/shop@sha256:1")
            var parts = WorkerIdentity().text.split(separator: " ")
            parts[3] = "1"
            let leases = LeaseStore(pool: fixture.pool)
            _ = try await leases.acquire(
                fixture.leaseKey, holder: parts.joined(separator: " "), for: .seconds(600))
            try await fixture.converger(patience: .seconds(20)).converge(fixture.app, for: .task)
            #expect(fixture.engine.all.count == 1)
        }
    }

    @Test func onlyTheDeadAreKnownToBeDead() {
        let identity = WorkerIdentity()
        var parts = identity.text.split(separator: " ").map(String.init)
        #expect(!identity.knowsToBeDead(identity.text))
        #expect(!identity.knowsToBeDead("worker-1"))
        parts[1] = "elsewhere"
        parts[3] = "1"
        #expect(!identity.knowsToBeDead(parts.joined(separator: " ")))
    }

    /// While a deploy is under way one task waits for the next turn and stands for all that come after it.
    @Test func tasksOfABusyAppFollowAtOnceAndAreJoined() async throws {
        try await DeployFixture.run { fixture in
            fixture.engine.hold("registry/shop@sha256:1")
            try await fixture.push("registry/shop@sha256:1")
            async let first: Void = fixture.converger.converge(fixture.app, for: .task)
            try await fixture.engine.awaitHeld()
            try await fixture.scale(["web": 2])
            async let second: Void = fixture.converger.converge(fixture.app, for: .task)
            try await eventually(within: .seconds(20), "the second task waits") {
                fixture.converger.turns.hasWaitingTask(fixture.leaseKey)
            }
            try await fixture.converger.converge(fixture.app, for: .task)
            fixture.engine.letGo()
            _ = try await (first, second)
            #expect(fixture.engine.all.count == 2)
        }
    }
}

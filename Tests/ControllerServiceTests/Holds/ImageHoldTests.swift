import HTTPTypes
import Logging
import OCIRegistry
import PlatformModel
import Postgres
import ServiceLifecycle
import TestSupport
import Testing

@testable import ControllerService

@Suite(.enabled(if: TestEnvironment.hasServers)) struct ImageHoldTests {
    @Test(.timeLimit(.minutes(3)))
    func anImageStaysWhileAReleaseNeedsIt() async throws {
        try await HoldFixture.run { fixture in
            let registry = try await fixture.startRegistry()
            let first = try await fixture.push("first", tag: "git-1")
            try await fixture.release(fixture.image(first))
            let nobodys = try await fixture.push("nobody's", tag: "git-1")
            let second = try await fixture.push("second", tag: "git-1")
            try await fixture.release(fixture.image(second))
            try await fixture.keeper.settle()
            #expect(try await fixture.holds() == [first: ["release-2"], second: ["release-3"]])
            // The tag has moved on; who is held stays, who is not goes.
            try await fixture.collect(until: nobodys)
            #expect(try await fixture.hasImage(first))

            let rollback = try await fixture.api.call(
                .post, "/v2/apps/myapp/releases/rollback/", #"{"version":2}"#, as: fixture.owner)
            try #require(rollback.status == 201, "\(rollback.text)")
            try await fixture.keeper.settle()
            #expect(try await fixture.holds()[first] == ["release-2", "release-4"])

            let gone = try await fixture.api.call(.delete, "/v2/apps/myapp/", as: fixture.owner)
            try #require(gone.status == 204, "\(gone.text)")
            try await fixture.keeper.settle()
            #expect(try await fixture.holds() == [:])
            try await fixture.collect(until: first)
            #expect(registry.isRunning)
        }
    }

    @Test func aRegistryThatIsAwayIsToldLater() async throws {
        try await HoldFixture.run { fixture in
            let digest = ImageDigest(of: Array("not pushed yet".utf8))
            try await fixture.release(fixture.image(digest))
            await #expect(throws: (any Error).self) { try await fixture.keeper.settle() }
            #expect(try await !HoldStore().isSettled(in: fixture.api.database))
            let registry = try await fixture.startRegistry()
            let image = try await fixture.push("image", tag: "git-1")
            try await fixture.release(fixture.image(image))
            // The one that is not there is told of and not waited for.
            try await fixture.keeper.settle()
            #expect(try await HoldStore().isSettled(in: fixture.api.database))
            #expect(try await fixture.holds() == [image: ["release-3"]])
            #expect(registry.isRunning)
        }
    }

    @Test func imagesOfOtherRegistriesAreNotHeld() async throws {
        try await HoldFixture.run { fixture in
            let digest = ImageDigest(of: Array("foreign".utf8))
            // No registry answers here: asking it would fail.
            for image in [
                "registry.example.com/team/app:1", "registry.example.com/myapp/myapp@\(digest)",
                "\(fixture.host)/other/other@\(digest)", "\(fixture.host)/myapp/myapp:latest",
            ] {
                try await fixture.release(image)
            }
            try await fixture.keeper.settle()
            #expect(try await HoldStore().isSettled(in: fixture.api.database))
        }
    }

    @Test func aReviewMendsWhatTheRegistryHolds() async throws {
        try await HoldFixture.run { fixture in
            let registry = try await fixture.startRegistry()
            let image = try await fixture.push("image", tag: "git-1")
            let other = try await fixture.push("other", tag: "git-2")
            try await fixture.release(fixture.image(image))
            try await fixture.keeper.settle()
            let repository = try fixture.keeper.registry.repository(of: try AppName("myapp"))
            try await repository.end(image, for: "release-2")
            for holder in ["release-9", "auditor"] { #expect(try await repository.place(other, for: holder)) }
            try await fixture.keeper.settle()
            #expect(try await fixture.holds() == [other: ["release-9", "auditor"]])
            try await fixture.keeper.settle(reviewing: true)
            #expect(try await fixture.holds() == [image: ["release-2"], other: ["auditor"]])
            #expect(registry.isRunning)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func theTagsOfADestroyedAppGoAndThoseOfItsSuccessorStay() async throws {
        try await HoldFixture.run { fixture in
            let registry = try await fixture.startRegistry()
            let old = try await fixture.push("old", tag: "git-1")
            try await fixture.release(fixture.image(old))
            let rejected = try await fixture.push("never released", tag: "git-2")
            try await fixture.keeper.settle()

            let gone = try await fixture.api.call(.delete, "/v2/apps/myapp/", as: fixture.owner)
            try #require(gone.status == 204, "\(gone.text)")
            // As the worker does once nothing of the app runs any more.
            try await fixture.api.database.execute("DELETE FROM destroyed_apps")
            try await fixture.api.makeApp(HoldFixture.app, as: fixture.owner)
            let new = try await fixture.push("new", tag: "git-3")
            try await fixture.release(fixture.image(new))
            _ = try await fixture.push("named by its tag", tag: "v1")
            try await fixture.release("\(fixture.host)/myapp/myapp:v1")
            try await fixture.keeper.settle()

            let repository = try fixture.keeper.registry.repository(of: try AppName(HoldFixture.app))
            #expect(try await repository.tags() == [ImageTag("v1")])
            #expect(try await fixture.holds() == [new: ["release-2"]])
            try await fixture.collect(until: old)
            try await fixture.collect(until: rejected)
            #expect(try await fixture.hasImage(new))
            #expect(try await HoldStore().isSettled(in: fixture.api.database))
            #expect(registry.isRunning)
        }
    }

    @Test func everyImageAPipelineStartsIsHeld() async throws {
        try await HoldFixture.run { fixture in
            let registry = try await fixture.startRegistry()
            let main = try await fixture.push("main", tag: "git-1")
            let worker = try await fixture.push("worker", tag: "git-1-worker")
            let step = try await fixture.push("step", tag: "git-1-step")
            let pipelines = """
                ,"dryccfile":{"pipeline":{"web.yaml":{"kind":"pipeline","ptype":"web",\
                "build":{"docker":"Dockerfile"},"run":{"image":"\(fixture.image(step))","command":["true"]},\
                "deploy":{"command":["./server"]}},"worker.yaml":{"kind":"pipeline","ptype":"worker",\
                "deploy":{"image":"\(fixture.image(worker))","command":["./work"]}}}}
                """
            try await fixture.release(fixture.image(main), pipelines)
            try await fixture.keeper.settle()
            let holder: Set<String> = ["release-2"]
            #expect(try await fixture.holds() == [main: holder, worker: holder, step: holder])
            #expect(registry.isRunning)
        }
    }

    @Test func aNewReleaseIsHeldWithoutBeingAskedFor() async throws {
        try await HoldFixture.run { fixture in
            let registry = try await fixture.startRegistry()
            let services = ServiceGroup(
                services: [fixture.keeper], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await services.run() }
                let image = try await fixture.push("image", tag: "git-1")
                try await fixture.release(fixture.image(image))
                try await eventually("the image is held") { try await fixture.holds() == [image: ["release-2"]] }
                await services.triggerGracefulShutdown()
                try await group.waitForAll()
            }
            #expect(registry.isRunning)
        }
    }
}

@Suite struct HeldReleaseTests {
    @Test(arguments: [
        ("release-1", true), ("release-43", true), ("release-", false), ("release-x", false), ("auditor", false),
    ])
    func holdersOfReleases(_ holder: String, _ isRelease: Bool) {
        #expect(HeldRelease.isRelease(holder) == isRelease)
    }
}

import FoundationEssentials
import PlatformModel
import Testing

@testable import ControllerService

/// Controller API 4.3.
@Suite struct ReleaseSummaryTests {
    private func side(
        build: String? = "b1", sha: String = "", image: String = "a/b",
        _ edit: (inout ConfigDocument) -> Void = { _ in }
    )
        -> ReleaseSummary.Side
    {
        var config = ConfigDocument()
        edit(&config)
        return .init(buildID: build, sha: sha, image: image, config: config)
    }

    @Test func buildsAreNamedByShaOrImage() {
        let old = side(build: nil)
        #expect(
            ReleaseSummary.compare(workspace: "acme1", new: side(sha: "8f3c2a1bdeadbeef"), old: old)
                == "acme1 deployed 8f3c2a1")
        #expect(ReleaseSummary.compare(workspace: "acme1", new: side(), old: old) == "acme1 deployed a/b")
    }

    @Test func configFieldsFollowInTheirOrder() {
        let old = side { config in
            config.values = [
                .init(scope: .group("global"), name: "OLD", value: "1"),
                .init(scope: .group("global"), name: "FOO", value: "1"),
            ]
            config.limits = ["web": "a"]
        }
        let new = side { config in
            config.values = [
                .init(scope: .group("global"), name: "FOO", value: "2"),
                .init(scope: .group("global"), name: "NEW", value: "1"),
            ]
            config.limits = ["web": "a", "worker": "b"]
        }
        #expect(
            ReleaseSummary.compare(workspace: "acme1", new: new, old: old)
                == "acme1 added limits workeracme1 added values NEW, changed values FOO, deleted values OLD")
    }

    @Test func nothingDiffersIsNoSummary() {
        #expect(ReleaseSummary.compare(workspace: "acme1", new: side(), old: side()) == nil)
    }
}

/// Controller API 4.7.
@Suite struct RollbackRuleTests {
    private func release(_ version: Int, failed: Bool = false, hasBuild: Bool = true) throws -> Release {
        Release(
            uuid: UUID(), app: UUID(), version: try ReleaseNumber(version), state: .succeed, summary: "",
            failed: failed,
            exception: nil, conditions: [], deployedPtypes: [], config: UUID(), build: hasBuild ? UUID() : nil,
            created: Date(), updated: Date())
    }

    @Test(arguments: [
        (-1, "version cannot be below 0"), (0, "version cannot be below 0"),
        (1, "Cannot roll back to initial release."), (9, "Release matching query does not exist."),
        (2, "Cannot roll back to failed release."), (3, "there are no builds available for deploy"),
    ])
    func wrongTargetsAreNamed(version: Int, sentence: String) throws {
        let releases = [2: try release(2, failed: true), 3: try release(3, hasBuild: false), 4: try release(4)]
        #expect(throws: Refusal.invalid(sentence)) {
            try RollbackRule.target(requested: version, latestGood: releases[4]) { releases[$0] }
        }
    }

    @Test func nothingRequestedMeansTheOneBefore() throws {
        let releases = [3: try release(3), 4: try release(4)]
        let target = try RollbackRule.target(requested: nil, latestGood: releases[4]) { releases[$0] }
        #expect(target == releases[3])
    }
}

@Suite struct DeployScopeTests {
    private let offer = BuildOffer(
        BuildContent(image: "a", stack: "c", procfile: ["web": "./a", "worker": "./b"]))

    @Test func askedTypesMustBelongToTheRelease() throws {
        #expect(try DeployScope.wanted([], of: offer) == ["web", "worker"])
        #expect(try DeployScope.wanted(["worker", "x"], of: offer) == ["worker"])
        #expect(throws: Refusal.invalid("skip deploy, ptypes are not within the optional range: ['web', 'worker']")) {
            try DeployScope.wanted(["x"], of: offer)
        }
    }

    @Test func onlyChangedTypesAreDeployed() {
        let old = DeployScope.Side(offer: offer, config: ConfigDocument())
        var config = ConfigDocument()
        config.values = [.init(scope: .ptype("worker"), name: "A", value: "1")]
        let new = DeployScope.Side(offer: offer, config: config)
        #expect(DeployScope.changed(["web", "worker"], new: new, old: old) == ["worker"])
        #expect(DeployScope.changed(["web", "worker"], new: new, old: nil) == ["web", "worker"])
    }

    @Test func structureFollowsTheRelease() {
        let structure = Structure(["web": 3, "old": 2, "idle": 0])
        #expect(structure.merged(with: ["web", "worker"]) == Structure(["web": 3, "worker": 0, "old": 2]))
        #expect(Structure().merged(with: ["web", "worker"]) == Structure(["web": 1, "worker": 0]))
        #expect(structure.scaled(by: ["web": 0, "nope": 4]) == Structure(["web": 0, "old": 2, "idle": 0]))
    }
}

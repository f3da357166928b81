import Foundation
import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct CollectionTests {
    private static let index = "application/vnd.oci.image.index.v1+json"
    private static let layer = ImageDigest(of: Array("layer".utf8))

    private func indexDocument(_ digests: ImageDigest...) -> String {
        let entries = digests.map {
            #"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\#($0)","size":2}"#
        }
        return #"{"schemaVersion":2,"mediaType":"\#(Self.index)","manifests":[\#(entries.joined(separator: ","))]}"#
    }

    @Test func whatNothingNeedsGoesAfterTheGracePeriod() async throws {
        try await RegistryFixture.run { registry in
            let kept = try await registry.pushImage("layer", to: "a", tag: "v1")
            let orphan = try await registry.push("orphan", to: "a")
            #expect(try await registry.collect().isEmpty)
            try registry.age(by: .seconds(3700))
            let expected = ["a: blob \(orphan)", "content \(orphan), 6 bytes"]
            #expect(try await registry.collect(isDryRun: true) == expected)
            #expect(try await registry.send(.head, "/v2/a/blobs/\(Self.layer)").status == 200)
            #expect(try await registry.collect() == expected)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(orphan)").status == 404)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(Self.layer)").status == 200)
            #expect(try await registry.send(.get, "/v2/a/manifests/\(kept)").status == 200)
            #expect(try await registry.collect().isEmpty)
            #expect(try StorageVerification(layout: registry.storage.layout).run().isGood)
        }
    }

    @Test func aBlobThatWasLookedForStaysAnotherGracePeriod() async throws {
        try await RegistryFixture.run { registry in
            let orphan = try await registry.push("orphan", to: "a")
            try registry.age(by: .seconds(3700))
            #expect(try await registry.send(.head, "/v2/a/blobs/\(orphan)").status == 200)
            #expect(try await registry.collect().isEmpty)
        }
    }

    @Test func contentStaysAsLongAsAnyRepositoryShowsIt() async throws {
        try await RegistryFixture.run { registry in
            try await registry.push("layer", to: "a")
            try await registry.pushImage("layer", to: "b", tag: "v1")
            try registry.age(by: .seconds(3700))
            #expect(
                try await registry.collect() == [
                    "a: blob \(Self.layer)", "a: repository, which holds nothing",
                ])
            #expect(try await registry.send(.get, "/v2/b/blobs/\(Self.layer)").body == "layer")
        }
    }

    @Test func whatADeletedImageNeededGoesWithAGracePeriodOfItsOwn() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.pushImage("layer", to: "a", tag: "v1")
            try registry.age(by: .seconds(3700))
            #expect(try await registry.send(.delete, "/v2/a/manifests/\(digest)").status == 202)
            #expect(try await registry.collect().allSatisfy { $0.hasPrefix("content \(digest)") })
            #expect(try await registry.send(.get, "/v2/a/blobs/\(Self.layer)").status == 200)
            try registry.age(by: .seconds(3700))
            try await registry.collect()
            #expect(try await registry.send(.get, "/v2/a/blobs/\(Self.layer)").status == 404)
            #expect(try registry.storage.metadata.contents().isEmpty)
        }
    }

    @Test func untaggedManifestsStayWithoutARule() async throws {
        try await RegistryFixture.run { registry in
            let first = try await registry.pushImage("one", to: "a", tag: "v1")
            try await registry.pushImage("two", to: "a", tag: "v1")
            try registry.age(by: .seconds(1_000_000))
            #expect(try await registry.collect().isEmpty)
            #expect(try await registry.send(.get, "/v2/a/manifests/\(first)").status == 200)
        }
    }

    @Test func untaggedManifestsGoByTheirRuleButNotWhatAnIndexLists() async throws {
        let rules = CollectionRules(rules: [RetentionRule(repositories: "a*", untaggedAfter: 7200)])
        try await RegistryFixture.run(rules: rules) { registry in
            let listed = try await registry.pushImage("listed", to: "ab", tag: "x")
            let document = indexDocument(listed)
            let reply = try await registry.send(
                .put, "/v2/ab/manifests/multi", [.contentType: Self.index], document)
            #expect(reply.status == 201)
            #expect(try await registry.send(.delete, "/v2/ab/manifests/x").status == 202)
            let old = try await registry.pushImage("old", to: "ab", tag: "v1")
            try await registry.pushImage("new", to: "ab", tag: "v1")
            let other = try await registry.pushImage("old", to: "b", tag: "v1")
            try await registry.pushImage("new", to: "b", tag: "v1")
            try registry.age(by: .seconds(7000))
            #expect(try await registry.collect().isEmpty)
            try registry.age(by: .seconds(7300))
            #expect(try await registry.collect() == ["ab: manifest \(old)"])
            #expect(try await registry.send(.get, "/v2/ab/manifests/\(listed)").status == 200)
            #expect(try await registry.send(.get, "/v2/b/manifests/\(other)").status == 200)
        }
    }

    @Test func theNewestTagsStayAndOthersGoWithTheirImages() async throws {
        let rules = CollectionRules(rules: [
            RetentionRule(repositories: "*", keepTags: 2, protectedTags: ["latest", "keep-*"])
        ])
        try await RegistryFixture.run(rules: rules) { registry in
            for tag in ["keep-1", "v1", "v2", "v3", "v4", "latest"] {
                try await registry.pushImage(tag == "latest" ? "v4" : tag, to: "a", tag: tag)
                try registry.age(by: .seconds(10))
            }
            #expect(try await registry.collect().isEmpty)
            // Everything is old enough, in the order of the pushes.
            for (index, tag) in ["keep-1", "v1", "v2", "v3", "v4", "latest"].enumerated() {
                let then = Date.now.addingTimeInterval(Double(-20_000 + index))
                let path = registry.storage.layout.tag(try ImageTag(tag), in: try RepositoryName("a"))
                try registry.age(by: .seconds(20_000))
                try FileManager.default.setAttributes([.modificationDate: then], ofItemAtPath: path)
            }
            let items = try await registry.collect()
            #expect(items.filter { $0.contains("tag") } == ["a: tag v1", "a: tag v2"])
            #expect(items.filter { $0.contains("manifest") }.count == 2)
            let list = try await registry.send(.get, "/v2/a/tags/list")
            #expect(list.body == #"{"name":"a","tags":["keep-1","latest","v3","v4"]}"#)
        }
    }

    @Test func explanationsLeadFromTheTagToTheBlob() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.pushImage("layer", to: "a", tag: "v1")
            let document = indexDocument(digest)
            _ = try await registry.send(.put, "/v2/a/manifests/multi", [.contentType: Self.index], document)
            _ = try await registry.send(.put, "/v2/a/_collection/holds/\(digest)?holder=release-7")
            let index = ImageDigest(of: Array(document.utf8))
            var explanation = Explanation(of: Self.layer)
            explanation.add(try registry.storage.metadata.snapshot(of: try RepositoryName("a")))
            let lines = explanation.lines.dropFirst()
            #expect(
                Set(lines) == [
                    "a: tag v1 -> \(digest) -> \(Self.layer)", "a: hold release-7 -> \(digest) -> \(Self.layer)",
                    "a: tag multi -> \(index) -> \(digest) -> \(Self.layer)",
                ])
        }
    }
}

@Suite struct RetentionRuleTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "ab", false), ("*", "x/y", true), ("a*", "ab", true), ("*b", "ab", true),
        ("a*b", "a", false), ("a*a", "a", false), ("team/*/cache", "team/x/cache", true), ("a**b", "axb", true),
    ])
    func patterns(_ pattern: String, _ text: String, _ matches: Bool) {
        #expect(Pattern(pattern).matches(text) == matches)
    }

    @Test func theFirstRuleThatAppliesCounts() throws {
        let json = """
            [{"repositories":"shop/*","keep_tags":3,"untagged_after":60,"budget":100,"protected_tags":["latest"]},
             {"repositories":"*","budget":7}]
            """
        let rules = CollectionRules(rules: try CollectionRules.rules(Array(json.utf8)))
        let shop = rules.rule(for: try RepositoryName("shop/shop"))
        #expect(shop.keepTags == 3 && shop.untaggedAfter == 60 && shop.budget == 100)
        #expect(rules.rule(for: try RepositoryName("other")).budget == 7)
    }

    @Test(arguments: [
        #"{}"#, #"[{"keep_tags":1}]"#, #"[{"repositories":"*","keep_tag":1}]"#, #"[{"repositories":"*","budget":-1}]"#,
    ])
    func otherDocumentsAreRefused(_ json: String) {
        #expect(throws: RuleProblem.self) { try CollectionRules.rules(Array(json.utf8)) }
    }
}

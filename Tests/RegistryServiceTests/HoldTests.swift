import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct HoldTests {
    @Test func aHeldImageCannotGo() async throws {
        let rules = CollectionRules(rules: [RetentionRule(repositories: "*", keepTags: 0, untaggedAfter: 0)])
        try await RegistryFixture.run(rules: rules) { registry in
            let digest = try await registry.pushImage("layer", to: "shop/shop", tag: "v1")
            let layer = ImageDigest(of: Array("layer".utf8))
            let path = "/v2/shop/shop/_collection/holds/\(digest)"
            #expect(try await registry.send(.put, "\(path)?holder=release-1").status == 201)
            #expect(try await registry.send(.put, "\(path)?holder=release-1").status == 201)
            #expect(try await registry.send(.put, "\(path)?holder=release-2").status == 201)
            try registry.age(by: .seconds(100_000))
            #expect(try await registry.collect().isEmpty)
            for target in ["manifests/\(digest)", "blobs/\(layer)"] {
                let refused = try await registry.send(.delete, "/v2/shop/shop/\(target)")
                #expect(refused.status == 403 && refused.code == "DENIED")
                #expect(refused.body.contains("release-1"))
            }
            let list = try await registry.send(.get, "/v2/shop/shop/_collection/holds")
            let expected =
                #"{"holds":[{"digest":"\#(digest)","holders":["release-1","release-2"]}],"name":"shop/shop"}"#
            #expect(list.body == expected)
            #expect(try await registry.send(.delete, "\(path)?holder=release-1").status == 202)
            #expect(try await registry.send(.delete, "/v2/shop/shop/manifests/v1").status == 202)
            try registry.age(by: .seconds(100_000))
            #expect(try await registry.collect().isEmpty)
            #expect(try await registry.send(.delete, "\(path)?holder=release-2").status == 202)
            #expect(try await registry.send(.delete, "\(path)?holder=release-2").status == 404)
            #expect(try await registry.collect().isEmpty)
            try registry.age(by: .seconds(100_000))
            try await registry.collect()
            #expect(try await registry.send(.get, "/v2/shop/shop/manifests/\(digest)").status == 404)
        }
    }

    @Test(arguments: ["", "?holder=", "?holder=a/b", "?holder=..", "?holder=-x"])
    func aHoldNeedsAHolder(_ query: String) async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.pushImage("layer", to: "a", tag: "v1")
            let reply = try await registry.send(.put, "/v2/a/_collection/holds/\(digest)\(query)")
            #expect(reply.status == 400)
        }
    }

    @Test func whatIsNotThereCannotBeHeld() async throws {
        try await RegistryFixture.run { registry in
            let layer = try await registry.push("layer", to: "a")
            let reply = try await registry.send(.put, "/v2/a/_collection/holds/\(layer)?holder=x")
            #expect(reply.status == 404 && reply.code == "MANIFEST_UNKNOWN")
        }
    }
}

@Suite struct BudgetTests {
    @Test func aRepositoryStaysWithinItsBudget() async throws {
        let rules = CollectionRules(rules: [RetentionRule(repositories: "small", budget: 900)])
        try await RegistryFixture.run(rules: rules) { registry in
            let digest = try await registry.pushImage(String(repeating: "a", count: 300), to: "small", tag: "v1")
            let more = String(repeating: "b", count: 300)
            let wanted = ImageDigest(of: Array(more.utf8))
            let refused = try await registry.send(.post, "/v2/small/blobs/uploads/?digest=\(wanted)", [:], more)
            #expect(refused.status == 403 && refused.code == "DENIED")
            #expect(refused.body.contains("Delete tags or images"))
            // The upload that was refused at its end can be finished once there is room.
            let begun = try await registry.send(.post, "/v2/small/blobs/uploads/")
            let location = try #require(begun.headers[.location])
            let half = String(more.prefix(50))
            #expect(try await registry.send(.patch, location, [:], half).status == 202)
            let early = try await registry.send(.patch, location, [:], String(more.dropFirst(50)))
            #expect(early.status == 403)
            #expect(try await registry.send(.get, "/v2/small/manifests/v1").status == 200)
            #expect(try await registry.send(.delete, "/v2/small/manifests/\(digest)").status == 202)
            try registry.age(by: .seconds(3700))
            try await registry.collect()
            let end = try await registry.send(
                .put, "\(location)?digest=\(wanted)", [:], String(more.dropFirst(50)))
            #expect(end.status == 201)
            try await registry.push(String(repeating: "c", count: 5000), to: "large")
        }
    }

    @Test func theWholeRegistryStaysWithinItsBudget() async throws {
        try await RegistryFixture.run(rules: CollectionRules(budget: 1000)) { registry in
            try await registry.push(String(repeating: "a", count: 600), to: "a")
            let more = String(repeating: "b", count: 500)
            let refused = try await registry.send(
                .post, "/v2/b/blobs/uploads/?digest=\(ImageDigest(of: Array(more.utf8)))", [:], more)
            #expect(refused.status == 403 && refused.code == "DENIED")
            try await registry.push(String(repeating: "c", count: 300), to: "b")
        }
    }

    @Test func pushesAtOnceDoNotGoPastTheBudgetTogether() async throws {
        let rules = CollectionRules(rules: [RetentionRule(repositories: "*", budget: 1000)])
        try await RegistryFixture.run(rules: rules) { registry in
            let done = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let content = String(repeating: "\(number % 10)", count: 300 + number)
                        let digest = ImageDigest(of: Array(content.utf8))
                        return try await registry.send(
                            .post, "/v2/a/blobs/uploads/?digest=\(digest)", [:], content
                        ).status
                    }
                }
                return try await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
            }
            #expect(done == [201: 3, 403: 17])
        }
    }
}

import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

/// Pushes, mounts and deletes beside collections that leave hardly any grace.
///
/// With so little of it a push may find its blobs gone and has to begin again, as a real one never must; what it may
/// not find is an accepted image that is not whole.
@Suite struct CollectionRaceTests {
    private static let rules = CollectionRules(
        grace: .milliseconds(300), rules: [RetentionRule(repositories: "*", keepTags: 6, untaggedAfter: 0)])

    @Test func nothingAcceptedIsLost() async throws {
        try await RegistryFixture.run(rules: Self.rules) { registry in
            let end = ContinuousClock.now + .seconds(20)
            let collecting = Task { while !Task.isCancelled { try await registry.collect() } }
            let accepted = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<4 { group.addTask { try await Self.push(number, registry, until: end) } }
                return try await group.reduce(0, +)
            }
            collecting.cancel()
            _ = await collecting.result
            #expect(accepted > 0)
            #expect(try StorageVerification(layout: registry.storage.layout).run().isGood)
        }
    }

    private static func push(
        _ number: Int, _ registry: RegistryFixture, until end: ContinuousClock.Instant
    ) async throws -> Int {
        var accepted = 0
        var round = 0
        while ContinuousClock.now < end, accepted < 40 {
            round += 1
            let name = "r\(round % 2)"
            let layer = "layer \(round % 5)"
            let digest = ImageDigest(of: Array(layer.utf8))
            // Half of the layers are taken from the other repository, if it has them still.
            let mount = "/v2/\(name)/blobs/uploads/?mount=\(digest)&from=r\((round + 1) % 2)"
            if round % 4 < 2 { _ = try await registry.send(.post, mount) }
            let extra = ",\"annotations\":{\"n\":\"\(number)\"}"
            let manifest = try await registry.imageManifest(layer, in: name, extra: extra)
            let own = ImageDigest(of: Array(manifest.utf8))
            let type = OCIRegistry.MediaType.ociManifest.rawValue
            let reply = try await registry.send(
                .put, "/v2/\(name)/manifests/t\(number)-\(round % 7)", [.contentType: type], manifest)
            guard reply.status == 201 else {
                #expect(reply.code == "MANIFEST_BLOB_UNKNOWN")
                continue
            }
            // Keeps the rule from removing the image before it is looked at.
            let hold = "/v2/\(name)/_collection/holds/\(own)?holder=h\(number)"
            guard try await registry.send(.put, hold).status == 201 else { continue }
            accepted += 1
            #expect(try await registry.send(.get, "/v2/\(name)/manifests/\(own)").body == manifest)
            #expect(try await registry.send(.get, "/v2/\(name)/blobs/\(digest)").body == layer)
            _ = try await registry.send(.delete, hold)
            if round % 9 == 0 { _ = try await registry.send(.delete, "/v2/\(name)/manifests/\(own)") }
        }
        return accepted
    }
}

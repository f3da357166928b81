import Foundation
import HTTPTypes
import NIOCore
import OCIRegistry
import ObjectStorage
import TestSupport
import Testing

@testable import RegistryService

/// Repositories of a folder that hold nothing any more.
@Suite(.timeLimit(.minutes(2)))
struct EmptiedRepositoryTests {
    private static let type = OCIRegistry.MediaType.ociManifest.rawValue

    @Test func itLeavesTheCatalogAndComesBackWithAPush() async throws {
        try await RegistryFixture.run { registry in
            for name in ["a", "a/b", "c/d"] { try await registry.pushImage("layer of \(name)", to: name, tag: "v1") }
            for name in ["a", "c/d"] {
                let digest = try await registry.send(.get, "/v2/\(name)/manifests/v1").headers[.dockerContentDigest]
                let reply = try await registry.send(.delete, "/v2/\(name)/manifests/\(try #require(digest))")
                #expect(reply.status == 202)
            }
            #expect(try await registry.send(.get, "/v2/_catalog").body == #"{"repositories":["a","a/b","c/d"]}"#)
            try registry.age(by: .seconds(3700))
            let expected = ["a: repository, which holds nothing", "c/d: repository, which holds nothing"]
            #expect(try await registry.collect(isDryRun: true).filter { $0.contains("repository") } == expected)
            #expect(try await registry.collect().filter { $0.contains("repository") } == expected)
            #expect(try await registry.send(.get, "/v2/_catalog").body == #"{"repositories":["a/b"]}"#)
            #expect(try await registry.send(.get, "/v2/a/tags/list").code == "NAME_UNKNOWN")
            let left = try FileManager.default.contentsOfDirectory(atPath: registry.storage.layout.repositories)
            #expect(left == ["a"])
            #expect(try await registry.collect().isEmpty)
            try await registry.pushImage("layer", to: "c/d", tag: "v2")
            #expect(try await registry.send(.get, "/v2/_catalog").body == #"{"repositories":["a/b","c/d"]}"#)
            #expect(try await registry.send(.get, "/v2/c/d/tags/list").body == #"{"name":"c/d","tags":["v2"]}"#)
        }
    }

    /// Pushes into repositories that collections empty and take away all the time, with no grace at all.
    @Test func pushesBesideItDoNotNotice() async throws {
        try await RegistryFixture.run(rules: CollectionRules(grace: .zero)) { registry in
            let collecting = Task { while !Task.isCancelled { try await registry.collect() } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<4 {
                    group.addTask {
                        for round in 0..<60 { try await Self.push(number, round, registry) }
                    }
                }
                try await group.waitForAll()
            }
            collecting.cancel()
            _ = await collecting.result
            try await registry.collect()
            try await registry.collect()
            #expect(try await registry.send(.get, "/v2/_catalog").body == #"{"repositories":[]}"#)
            let left = try FileManager.default.contentsOfDirectory(atPath: registry.storage.layout.repositories)
            #expect(left.isEmpty)
        }
    }

    private static func push(_ number: Int, _ round: Int, _ registry: RegistryFixture) async throws {
        let name = number % 2 == 0 ? "team" : "team/app\(round % 2)"
        // The blobs may be gone when the manifest comes, as no real push must find; they were taken without failure.
        let manifest = try await registry.imageManifest("layer \(number) \(round)", in: name)
        let tag = "t\(number)"
        let reply = try await registry.send(.put, "/v2/\(name)/manifests/\(tag)", [.contentType: type], manifest)
        guard reply.status == 201 else {
            #expect(reply.code == "MANIFEST_BLOB_UNKNOWN")
            return
        }
        #expect(try await registry.send(.get, "/v2/\(name)/manifests/\(tag)").body == manifest)
        #expect(try await registry.send(.get, "/v2/_catalog").body.contains("\"\(name)\""))
        let digest = ImageDigest(of: Array(manifest.utf8))
        #expect(try await registry.send(.delete, "/v2/\(name)/manifests/\(digest)").status == 202)
    }
}

/// Repositories of a bucket that hold nothing any more, beside replicas that push into them.
@Suite(.enabled(if: TestEnvironment.hasS3), .timeLimit(.minutes(2)))
struct EmptiedBucketRepositoryTests {
    private static let grace = Duration.seconds(3600)

    private let name: RepositoryName
    private let storage: BucketStorage

    init() async throws {
        name = try RepositoryName("team/app")
        storage = try await ConformanceRegistry.emptyBucket(grace: Self.grace)
    }

    private func replica() -> BucketStorage { BucketStorage(store: storage.objects.store, grace: Self.grace) }

    private func push(_ content: String, by replica: BucketStorage) async throws -> ImageDigest {
        let digest = ImageDigest(of: Array(content.utf8))
        let upload = try await replica.beginUpload(UploadRecord(repository: name, algorithm: .sha256))
        try await upload.append([ByteBuffer(string: content)])
        try await upload.commit(as: digest)
        return digest
    }

    /// Collects as if so much time had passed.
    private func collect(after time: Duration) async throws -> CollectionReport {
        let now = Date.now.addingTimeInterval(time.seconds)
        return try await replica().collect(CollectionRun(rules: CollectionRules(grace: Self.grace), now: now))
    }

    /// Empties the repository and lets collections condemn its entry in the catalog.
    private func emptyAndCondemn(_ digest: ImageDigest) async throws {
        #expect(try await storage.removeBlob(digest, from: name))
        // A service that counts in seconds tells only then that the mark is younger than the entry.
        try await eventually("the entry is condemned") {
            _ = try await collect(after: Self.grace / 2)
            return try await storage.entries(of: name).allSatisfy { $0.condemned != nil }
        }
        #expect(try await storage.catalog() == [name])
    }

    @Test func itLeavesTheCatalogAndComesBackWithAPush() async throws {
        try await emptyAndCondemn(try await push("layer", by: storage))
        #expect(try await collect(after: Self.grace / 4).counts["repository"] == nil)
        #expect(try await collect(after: Self.grace).counts["repository"] == 1)
        #expect(try await storage.catalog().isEmpty)
        #expect(try await storage.tags(in: name) == nil)
        #expect(try await storage.objects.list("names/").isEmpty)
        _ = try await push("layer", by: replica())
        #expect(try await storage.catalog() == [name])
        #expect(try await storage.tags(in: name)?.isEmpty == true)
    }

    /// A replica that knew the repository before relies on an entry that is condemned meanwhile.
    @Test func aReplicaThatKnewItBringsItBack() async throws {
        let other = replica()
        try await emptyAndCondemn(try await push("layer", by: other))
        let digest = try await push("layer", by: other)
        #expect(try await storage.entries(of: name).count == 1)
        #expect(try await collect(after: Self.grace).counts["repository"] == nil)
        #expect(try await storage.catalog() == [name])
        #expect(try await storage.entries(of: name).allSatisfy { !$0.hasMark })
        #expect(try await storage.blobSize(digest, in: name) == 5)
    }

    /// A replica that sees a condemned entry relies on one of its own, whatever becomes of the other.
    @Test func aReplicaThatSeesItGoNamesItAnew() async throws {
        let digest = try await push("layer", by: storage)
        try await emptyAndCondemn(digest)
        let old = try #require(try await storage.entries(of: name).first)
        _ = try await push("layer", by: replica())
        #expect(try await storage.entries(of: name).count == 2)
        // A collection that saw it empty before the push ends only now.
        try await storage.objects.remove(storage.layout.names(name) + old.name)
        #expect(try await storage.catalog() == [name])
        // It was cut off before it took the mark away.
        #expect(try await storage.names().strays.count == 1)
        #expect(try await collect(after: Self.grace).counts["repository"] == nil)
        #expect(try await storage.names().strays.isEmpty)
        #expect(try await storage.catalog() == [name])
    }

    /// What an earlier build has put into the bucket must not look unneeded.
    @Test func namesOfEarlierBuildsAreMoved() async throws {
        _ = try await push("layer", by: storage)
        let names = storage.layout.names(name)
        for entry in try await storage.objects.list(names) { try await storage.objects.remove(names + entry.name) }
        try await storage.objects.mark("catalog/team+app")
        #expect(try await replica().catalog() == [name])
        #expect(try await storage.objects.list("catalog/").isEmpty)
        #expect(try await storage.entries(of: name).count == 1)
        #expect(try await collect(after: .zero).usage.blobs.count == 1)
    }

    @Test func aReplicaLooksAgainAfterATime() async throws {
        let registrations = RepositoryRegistrations()
        let looks = LooksTaken()
        for age in [Duration.seconds(3600), .seconds(3600), .zero, .zero] {
            try await registrations.renew(name, olderThan: age) { await looks.add() }
        }
        #expect(await looks.count == 3)
        let other = try RepositoryName("other")
        for _ in 0..<2 {
            await #expect(throws: DamagedContent.self) {
                try await registrations.renew(other, olderThan: .seconds(3600)) { throw DamagedContent() }
            }
        }
    }

    private actor LooksTaken {
        private(set) var count = 0
        func add() { count += 1 }
    }
}

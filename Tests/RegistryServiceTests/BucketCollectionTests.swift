import FoundationEssentials
import NIOCore
import OCIRegistry
import ObjectStorage
import OpenSSLCrypto
import PlatformModel
import TestSupport
import Testing

@testable import RegistryService

/// Collections of a bucket, beside replicas and other collections.
@Suite(.enabled(if: TestEnvironment.hasS3), .timeLimit(.minutes(2)))
struct BucketCollectionTests {
    private static let grace = Duration.seconds(8)

    private let name: RepositoryName
    /// Another repository, which has content in common with the first.
    private let sibling: RepositoryName
    private let url: String
    private let storage: BucketStorage

    init() async throws {
        name = try RepositoryName("shop/shop")
        sibling = try RepositoryName("shop/other")
        let address = try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL")
        let parts = address.split(separator: "?", maxSplits: 1)
        url = "\(parts[0])/\(SecureRandom.hex(8))?\(parts[1])"
        storage = try await Self.replica(url)
    }

    private static func replica(_ url: String) async throws -> BucketStorage {
        BucketStorage(
            store: try await S3ObjectStore.open(
                url: url, accessKey: TestEnvironment.s3AccessKey, secretKey: Secret(TestEnvironment.s3SecretKey)),
            grace: grace)
    }

    private func push(_ content: String, to name: RepositoryName? = nil) async throws -> ImageDigest {
        let digest = ImageDigest(of: Array(content.utf8))
        let upload = try await storage.beginUpload(UploadRecord(repository: name ?? self.name, algorithm: .sha256))
        try await upload.append([ByteBuffer(string: content)])
        try await upload.commit(as: digest)
        return digest
    }

    private func pushImage(
        _ layer: String, tag: String, to storage: BucketStorage, _ name: RepositoryName? = nil
    ) async throws -> ImageDigest {
        let name = name ?? self.name
        let config = try await push("{}", to: name)
        let digest = try await push(layer, to: name)
        let text = """
            {"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\(config)",\
            "size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"\(digest)",\
            "size":\(layer.utf8.count)}]}
            """
        let bytes = Array(text.utf8)
        let manifest = try Manifest(bytes, contentType: .ociManifest)
        let own = ImageDigest(of: bytes)
        try await storage.store(
            ManifestPush(manifest: manifest, bytes: bytes, digest: own, tags: [try ImageTag(tag)]), in: name,
            requiringBlobs: true)
        return own
    }

    private func collect(_ rules: [RetentionRule] = [], by storage: BucketStorage) async throws -> CollectionReport {
        try await storage.collect(CollectionRun(rules: CollectionRules(grace: Self.grace, rules: rules)))
    }

    /// Collects until `isDone`, as a registry does again and again.
    private func collect(
        _ rules: [RetentionRule] = [], until text: String, _ isDone: @Sendable () async throws -> Bool
    ) async throws {
        try await eventually(within: .seconds(60), text) {
            _ = try await collect(rules, by: storage)
            return try await isDone()
        }
    }

    @Test func orphansGoAndEverythingElseStays() async throws {
        let image = try await pushImage("layer", tag: "v1", to: storage)
        let orphan = try await push("orphan")
        try await storage.objects.write("data/left", Array("left by a crash".utf8))
        let start = ContinuousClock.now
        try await collect(until: "the orphans are gone") {
            let isGone = try await storage.blobSize(orphan, in: name) == nil
            let left = try await storage.objects.list("data/").count
            return isGone && left == 2
        }
        #expect(ContinuousClock.now - start >= Self.grace - .seconds(1))
        #expect(try await storage.manifest(.tag(try ImageTag("v1")), in: name)?.digest == image)
        for layer in ["layer", "{}"] {
            #expect(
                try await storage.blobSize(ImageDigest(of: Array(layer.utf8)), in: name) == layer.utf8.count)
        }
        #expect(try await storage.objects.list("blobs/").count == 2)
        let marks = try await storage.objects.list("repositories/").filter { $0.name.hasSuffix(".out") }
        #expect(marks.isEmpty)
    }

    /// Services tell times in whole seconds: a mark may be up to a second younger than it seems.
    @Test func whatIsCondemnedWaitsForHalfTheGracePeriodAtLeast() async throws {
        let orphan = try await push("orphan")
        // A mark counts only when it is of a later time than its entry.
        try await Task.sleep(for: .seconds(1))
        try await collect(at: .now.addingTimeInterval(Self.grace.seconds))
        let condemned = try #require(try await storage.links(orphan, in: name).first?.condemned)
        let due = condemned.addingTimeInterval(Self.grace.seconds / 2)
        try await collect(at: due.addingTimeInterval(0.9))
        #expect(try await storage.links(orphan, in: name).first?.condemned == condemned)
        try await collect(at: due.addingTimeInterval(1.1))
        #expect(try await storage.links(orphan, in: name).isEmpty)
    }

    private func collect(at moment: Date) async throws {
        _ = try await storage.collect(
            CollectionRun(rules: CollectionRules(grace: Self.grace, rules: []), now: moment))
    }

    @Test func whatLeadsToAManifestThatIsGoneGoes() async throws {
        let image = try await pushImage("layer", tag: "v1", to: storage)
        let lost = try await pushImage("lost", tag: "v2", to: storage)
        let layout = storage.layout
        let descriptor = Descriptor(mediaType: .ociManifest, digest: lost, size: 1)
        try await storage.objects.write(
            layout.referrer(lost, of: image, in: name), try RecordCoding.encode(descriptor))
        // As a delete leaves it that meets a push of the same manifest.
        for folder in [layout.manifests(lost, in: name), layout.tagged(lost, in: name)] {
            for entry in try await storage.objects.list(folder) {
                try await storage.objects.remove(folder + entry.name)
            }
        }
        #expect(try await storage.referrers(of: image, in: name).map(\.digest) == [lost])
        #expect(try await storage.tags(in: name)?.count == 2)
        try await collect(until: "nothing leads to the lost manifest") {
            let tags = try await storage.tags(in: name)?.map { "\($0)" }
            return try await storage.referrers(of: image, in: name).isEmpty && tags == ["v1"]
        }
        #expect(try await storage.manifest(.tag(try ImageTag("v1")), in: name)?.digest == image)
    }

    @Test func tagsAndImagesGoByTheirRulesUnlessHeld() async throws {
        let held = try await pushImage("held", tag: "v0", to: storage)
        let old = try await pushImage("old", tag: "v1", to: storage)
        let new = try await pushImage("new", tag: "v2", to: storage)
        let holder = try #require(HoldName("release-1"))
        #expect(try await storage.hold(held, in: name, for: holder))
        await #expect(throws: RegistryError.self) { _ = try await storage.removeManifest(held, from: name) }
        let rules = [RetentionRule(repositories: "*", keepTags: 1)]
        try await collect(rules, until: "the old image is gone") {
            try await storage.manifest(.digest(old), in: name) == nil
        }
        #expect(try await storage.tags(in: name)?.map { "\($0)" } == ["v0", "v2"])
        for digest in [held, new] { #expect(try await storage.manifest(.digest(digest), in: name) != nil) }
    }

    /// A push leaves its mark, then writes the tag; a collection may list the repository in between.
    @Test func aTagThatIsBeingPushedStays() async throws {
        let image = try await pushImage("layer", tag: "v1", to: storage)
        _ = try await pushImage("layer", tag: "v2", to: storage)
        // Past the half of the grace period in which no tag goes.
        try await Task.sleep(for: Self.grace / 2 + .seconds(1))
        try await storage.objects.mark(storage.layout.tagged(image, in: name) + "v1")
        let rules = CollectionRules(grace: Self.grace, rules: [RetentionRule(repositories: "*", keepTags: 1)])
        _ = try await storage.collect(CollectionRun(rules: rules))
        #expect(try await storage.tags(in: name)?.map { "\($0)" } == ["v1", "v2"])
        // The push was cut off.
        _ = try await storage.collect(CollectionRun(rules: rules, now: .now.addingTimeInterval(Self.grace.seconds)))
        #expect(try await storage.tags(in: name)?.map { "\($0)" } == ["v2"])
    }

    /// A collection that listed the repository before a push removes the old entry after it. The content itself stays
    /// all the time, because the sibling needs it.
    @Test(arguments: [false, true])
    func whatACollectionRemovesIsNotWhatAPushWroteMeanwhile(isMounted: Bool) async throws {
        let digest = try await push("layer")
        _ = try await pushImage("layer", tag: "v1", to: storage, sibling)
        let prefix = storage.layout.links(digest, in: name)
        let old = try #require(try await storage.links(digest, in: name).first)
        // A mark counts only when it is of a later time than its entry.
        try await Task.sleep(for: .seconds(1))
        try await storage.objects.mark(prefix + old.name + BucketLayout.condemned)
        try await eventually("the old entry is not relied on any more") {
            try await storage.usableLink(digest, in: name) == nil
        }
        if isMounted {
            #expect(try await storage.mount(digest, from: sibling, to: name))
        } else {
            _ = try await push("layer")
        }
        for key in [old.name, old.name + BucketLayout.condemned] { try await storage.objects.remove(prefix + key) }
        let new = try #require(try await storage.usableLink(digest, in: name))
        #expect(new.name != old.name && new.content == old.content && new.size == 5)
        // A push that may rely on an entry makes that one young instead of adding another.
        _ = try await push("layer")
        #expect(try await storage.links(digest, in: name).map(\.name) == [new.name])

        // The sibling lets it go; what the new entry leads to stays as long as an image needs it.
        let image = try await pushImage("layer", tag: "v1", to: storage)
        let siblings = storage.layout.links(digest, in: sibling)
        for entry in try await storage.links(digest, in: sibling) {
            try await storage.objects.remove(siblings + entry.name)
        }
        for ahead in [Self.grace, Self.grace * 2, Self.grace * 3] {
            let run = CollectionRun(
                rules: CollectionRules(grace: Self.grace, rules: []), now: .now.addingTimeInterval(ahead.seconds))
            _ = try await storage.collect(run)
        }
        #expect(try await storage.manifest(.digest(image), in: name) != nil)
        #expect(try await storage.objects.size(storage.layout.data(new.object)) == 5)
        guard case .found = try await storage.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the blob of the image is gone")
            return
        }
    }

    /// Pushes of always the same content, whose entries collections condemn all the time, by two replicas.
    @Test func pushesAndCollectionsAtOnceLoseNothing() async throws {
        let other = try await Self.replica(url)
        let replicas = [storage, other]
        let rules = [RetentionRule(repositories: "*", keepTags: 2, untaggedAfter: 0)]
        let end = ContinuousClock.now + .seconds(14)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for replica in replicas {
                group.addTask {
                    while ContinuousClock.now < end { _ = try await collect(rules, by: replica) }
                }
            }
            for number in 0..<3 {
                group.addTask { try await pushAndCheck(number, replicas, until: end) }
            }
            try await group.waitForAll()
        }
    }

    private func pushAndCheck(
        _ number: Int, _ replicas: [BucketStorage], until end: ContinuousClock.Instant
    ) async throws {
        var round = 0
        while ContinuousClock.now < end {
            round += 1
            let replica = replicas[round % 2]
            let tag = "t\(number)-\(round % 4)"
            let name = round % 5 < 3 ? self.name : sibling
            let image = try await pushImage("layer \(number) \(round % 3)", tag: tag, to: replica, name)
            let found = try #require(try await replicas[0].manifest(.digest(image), in: name))
            for digest in found.record.references {
                #expect(try await replicas[1].blobSize(digest, in: name) != nil, "\(tag) lost \(digest)")
            }
        }
    }

    @Test func partsOfAnUploadThatNeverEndedAreDropped() async throws {
        let abandoned = try await storage.beginUpload(UploadRecord(repository: name, algorithm: .sha256))
        try await abandoned.append([ByteBuffer(repeating: 1, count: 6 << 20)])
        let kept = try await storage.beginUpload(UploadRecord(repository: name, algorithm: .sha256))
        try await kept.append([ByteBuffer(repeating: 2, count: 6 << 20)])
        try await kept.giveBack(isWhole: true)
        try await eventually("parts have been sent") {
            try await storage.objects.store.openParts(prefix: "data/").count == 2
        }
        let fresh = try await Self.replica(url)
        _ = try await fresh.expireUploads(before: .now.addingTimeInterval(-3600))
        #expect(try await storage.objects.store.openParts(prefix: "data/").count == 2)
        #expect(try await fresh.expireUploads(before: .now.addingTimeInterval(60)).removed == 1)
        #expect(try await storage.objects.store.openParts(prefix: "data/").isEmpty)
    }
}

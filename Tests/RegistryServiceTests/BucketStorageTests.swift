import FoundationEssentials
import NIOCore
import OCIRegistry
import ObjectStorage
import OpenSSLCrypto
import PlatformModel
import TestSupport
import Testing

@testable import RegistryService

/// Two replicas on one bucket.
@Suite(.enabled(if: TestEnvironment.hasS3), .timeLimit(.minutes(2)))
struct BucketStorageTests {
    private let name: RepositoryName
    private let first: BucketStorage
    private let second: BucketStorage
    /// A third one, whose entries may be condemned after two seconds, and are relied on for one second then.
    private let impatient: BucketStorage
    private static let shortGrace = Duration.seconds(4)

    init() async throws {
        name = try RepositoryName("shop/shop")
        let url = try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL")
        let parts = url.split(separator: "?", maxSplits: 1)
        let own = "\(parts[0])/\(SecureRandom.hex(8))?\(parts[1])"
        func replica(grace: Duration = .seconds(3600)) async throws -> BucketStorage {
            BucketStorage(
                store: try await S3ObjectStore.open(
                    url: own, accessKey: TestEnvironment.s3AccessKey, secretKey: Secret(TestEnvironment.s3SecretKey)),
                grace: grace)
        }
        first = try await replica()
        second = try await replica()
        impatient = try await replica(grace: Self.shortGrace)
    }

    private func push(_ content: [UInt8], by storage: BucketStorage) async throws -> ImageDigest {
        let digest = ImageDigest(of: content)
        let upload = try await storage.beginUpload(UploadRecord(repository: name, algorithm: .sha256))
        try await upload.append([ByteBuffer(bytes: content)])
        try await upload.commit(as: digest)
        return digest
    }

    @Test func anUploadGoesOnAtTheOtherReplica() async throws {
        let content = [UInt8]((0..<13_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
        let digest = ImageDigest(of: content)
        let begun = try await first.beginUpload(UploadRecord(repository: name, algorithm: .sha256))
        try await begun.append([ByteBuffer(bytes: content[..<7_000_000])])
        try await begun.giveBack(isWhole: true)
        let continued = try await second.takeUpload(begun.id, in: name)
        #expect(continued.size == 7_000_000)
        try await continued.append([ByteBuffer(bytes: content[7_000_000..<12_000_001])])
        try await continued.giveBack(isWhole: true)
        let last = try await first.takeUpload(begun.id, in: name)
        #expect(last.size == 12_000_001)
        try await last.append([ByteBuffer(bytes: content[12_000_001...])])
        try await last.commit(as: digest)
        guard case .found(let blob) = try await second.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the blob is not visible")
            return
        }
        #expect(try await blob.content.read(0..<content.count) == ByteBuffer(bytes: content))
        await #expect(throws: RegistryError.self) { _ = try await second.takeUpload(begun.id, in: name) }
    }

    @Test func wrongContentIsRefusedByAReplicaThatSawOnlyItsEnd() async throws {
        let begun = try await first.beginUpload(UploadRecord(repository: name, algorithm: .sha256))
        try await begun.append([ByteBuffer(string: "good")])
        try await begun.giveBack(isWhole: true)
        let continued = try await second.takeUpload(begun.id, in: name)
        let other = ImageDigest(of: Array("else".utf8))
        await #expect(throws: RegistryError.self) { try await continued.commit(as: other) }
        #expect(try await first.blobSize(other, in: name) == nil)
    }

    @Test func contentIsKeptOnceAndDeletesShowEverywhere() async throws {
        let digest = try await push(Array("layer".utf8), by: first)
        _ = try await push(Array("layer".utf8), by: second)
        #expect(try await first.objects.list("data/").count == 1)
        let copy = try RepositoryName("copy")
        #expect(try await second.mount(digest, from: name, to: copy))
        #expect(try await first.removeBlob(digest, from: name))
        #expect(try await second.blobSize(digest, in: name) == nil)
        #expect(try await first.blobSize(digest, in: copy) == 5)
        #expect(try await first.catalog() == [copy, name])
    }

    @Test(arguments: [BlobUse.finding, .reading])
    func aReplicaSeesWhatBecameOfABlobItFoundBefore(_ use: BlobUse) async throws {
        let digest = try await push(Array("layer".utf8), by: first)
        for _ in 0..<2 {
            guard case .found = try await second.openBlob(digest, in: name, for: use) else {
                Issue.record("the blob is not visible")
                return
            }
        }
        #expect(try await first.removeBlob(digest, from: name))
        guard case .unknown = try await second.openBlob(digest, in: name, for: use) else {
            Issue.record("the blob is still visible")
            return
        }
        _ = try await push(Array("layer".utf8), by: first)
        guard case .found = try await second.openBlob(digest, in: name, for: use) else {
            Issue.record("the blob is not visible again")
            return
        }
    }

    /// A remembered entry tells nothing of its mark, so an old one is looked at together with it.
    @Test func anEntryFoundBeforeIsMadeYoungUnlessItIsAboutToGo() async throws {
        let digest = try await push(Array("layer".utf8), by: impatient)
        func entry() async throws -> ObjectEntry { try #require(try await first.links(digest, in: name).first) }
        func isFound() async throws -> Bool {
            guard case .found = try await impatient.openBlob(digest, in: name, for: .finding) else { return false }
            return true
        }
        let pushed = try await entry()
        #expect(try await isFound())
        // Past the half second an entry is young for, and into another second of the service's clock.
        try await Task.sleep(for: .seconds(2))
        #expect(try await isFound())
        let found = try await entry()
        #expect(found.name == pushed.name && found.listed > pushed.listed)

        // A mark counts only when it is of a later time than its entry.
        try await Task.sleep(for: .seconds(1))
        let mark = first.layout.links(digest, in: name) + found.name + BucketLayout.condemned
        try await first.objects.mark(mark)
        // Past the quarter of the grace period for which what is condemned is relied on.
        try await Task.sleep(for: Self.shortGrace / 2)
        #expect(try await entry().condemned != nil)
        #expect(try await !isFound())
        guard case .found = try await impatient.openBlob(digest, in: name, for: .reading) else {
            Issue.record("what is about to go is not read any more")
            return
        }
    }

    @Test func truncatedContentIsNeverServed() async throws {
        let digest = try await push(Array("whole layer".utf8), by: first)
        let object = try #require(try await first.links(digest, in: name).first?.object)
        try await first.objects.write("data/\(object)", Array("whole".utf8))
        guard case .damaged = try await second.openBlob(digest, in: name, for: .reading) else {
            Issue.record("damage was not noticed")
            return
        }
        _ = try await push(Array("whole layer".utf8), by: second)
        #expect(try await first.blobSize(digest, in: name) == 11)
    }

    @Test(arguments: ["", "whole"])
    func contentThatIsLostAfterItWasSeenIsNoticedWhenItIsRead(_ rest: String) async throws {
        let digest = try await push(Array("whole layer".utf8), by: first)
        let object = try #require(try await first.links(digest, in: name).first?.object)
        guard case .found = try await first.openBlob(digest, in: name, for: .finding) else {
            Issue.record("the blob is not visible")
            return
        }
        if rest.isEmpty {
            try await first.objects.remove("data/\(object)")
        } else {
            try await first.objects.write("data/\(object)", Array(rest.utf8))
        }
        guard case .found(let blob) = try await first.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the service was asked for the length again")
            return
        }
        await #expect(throws: DamagedContent.self) { _ = try await blob.content.read(6..<11) }
        guard case .damaged = try await first.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the damage was forgotten")
            return
        }
    }

    /// An empty one too: whether it was confirmed once, nothing tells any more.
    @Test(arguments: ["", "x"]) func aManifestThatIsNoneIsReportedAndNotServed(_ left: String) async throws {
        _ = try await push(Array("layer".utf8), by: first)
        let digest = ImageDigest(of: Array("manifest".utf8))
        try await first.objects.write(
            first.layout.manifests(digest, in: name) + BucketStorage.newObject(), Array(left.utf8))
        let report = try await BucketVerification(storage: second).run()
        #expect(report.broken == ["\(name): manifest \(digest) is missing or damaged"])
        let manifest = try await first.manifest(.digest(digest), in: name)
        #expect(manifest == nil)
    }

    @Test func damagedContentIsNoticedAndRepaired() async throws {
        let digest = try await push(Array("whole layer".utf8), by: first)
        let object = try #require(try await first.links(digest, in: name).first?.object)
        try await first.objects.write("data/\(object)", Array("WHOLE layer".utf8))
        let report = try await BucketVerification(storage: second).run()
        #expect(report.damaged == [digest] && report.broken == ["\(name): blob \(digest) is missing or damaged"])
        guard case .found(let blob) = try await first.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the blob is not visible")
            return
        }
        await #expect(throws: DamagedContent.self) { _ = try await blob.content.read(0..<11) }
        guard case .damaged = try await first.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the damage was forgotten")
            return
        }
        _ = try await push(Array("whole layer".utf8), by: first)
        guard case .found(let repaired) = try await first.openBlob(digest, in: name, for: .reading) else {
            Issue.record("the push did not repair the blob")
            return
        }
        #expect(try await repaired.content.read(0..<11) == ByteBuffer(string: "whole layer"))
    }
}

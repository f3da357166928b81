import FoundationEssentials
import NIOCore
import OCIRegistry
import ServiceHTTP

/// Content open for reading.
protocol BlobContent: Sendable {
    /// The length in bytes.
    var size: Int { get }

    /// Where clients may read the content themselves; nil when they get it from us.
    var publicURL: String? { get }

    /// Reads a part at once.
    func read(_ range: Range<Int>) async throws -> ByteBuffer

    /// Writes a part piece by piece; throws when the content turns out shorter, which ends the connection before the
    /// announced length, so that no client takes it for whole.
    func write(_ range: Range<Int>, to sink: inout BodySink) async throws
}

/// A blob that was known.
struct RecalledBlob: Sendable {
    /// The length in bytes.
    let size: Int
    /// The content when it was in memory; otherwise ``BlobStore/loadedFile(_:size:)`` may have it.
    let bytes: [UInt8]?
    /// When it was seen to be what the storage holds.
    let look: FolderLook
}

/// The blobs of repositories.
protocol BlobStore: Sendable {
    /// Opens a blob that is visible in a repository.
    func openBlob(_ digest: ImageDigest, in name: RepositoryName, for use: BlobUse) async throws -> BlobLookup

    /// What ``openBlob(_:in:for:)`` would find for reading, if that is known and may be answered at once; else nil.
    func recallBlob(_ digest: ImageDigest, in name: RepositoryName) throws -> RecalledBlob?

    /// The whole of a blob if it is in the page cache, in a file that was verified and has not changed; otherwise nil.
    /// Does not block.
    func loadedFile(_ digest: ImageDigest, size: Int) throws -> SentFile?

    /// Whether what was recalled a moment ago would be recalled again.
    func isUnchanged(since look: FolderLook) -> Bool

    /// The length of a blob that is visible in a repository and whole.
    func blobSize(_ digest: ImageDigest, in name: RepositoryName) async throws -> Int?

    /// Makes a blob of one repository visible in another; false when it is not there to be mounted.
    func mount(_ digest: ImageDigest, from source: RepositoryName, to target: RepositoryName) async throws -> Bool

    /// A repository among those `isReadable` accepts in which the blob is visible.
    func holder(
        of digest: ImageDigest, where isReadable: @escaping @Sendable (RepositoryName) -> Bool
    ) async throws -> RepositoryName?

    /// Takes a blob out of a repository; false when it was not there. The content goes when nothing refers to it.
    ///
    /// - Throws: `DENIED` when a held manifest needs it.
    func removeBlob(_ digest: ImageDigest, from name: RepositoryName) async throws -> Bool
}

/// The manifests, tags and referrers of repositories.
protocol ManifestStore: Sendable {
    /// Reads a manifest; nil when it is unknown or its content is damaged. The bytes are verified.
    func manifest(_ reference: ManifestReference, in name: RepositoryName) async throws -> StoredManifest?

    /// Stores a manifest, its referrer entry and its tags, in this order.
    ///
    /// - Throws: `MANIFEST_BLOB_UNKNOWN` when a configuration or layer it needs is not visible in the repository.
    ///   Manifests listed by an index and the subject may be missing.
    func store(_ push: ManifestPush, in name: RepositoryName, requiringBlobs: Bool) async throws

    /// Tells a collection that a client relies on a manifest it found instead of pushing it; false when it is about to
    /// go.
    func keepManifest(_ digest: ImageDigest, in name: RepositoryName) async throws -> Bool

    /// Removes a manifest with the tags that point to it; false when it was not there.
    ///
    /// - Throws: `DENIED` when it is held or a held one needs it.
    func removeManifest(_ digest: ImageDigest, from name: RepositoryName) async throws -> Bool

    /// Removes a tag; false when it was not there.
    func removeTag(_ tag: ImageTag, from name: RepositoryName) async throws -> Bool

    /// All tags in byte order; nil when there is no such repository.
    func tags(in name: RepositoryName) async throws -> [ImageTag]?

    /// The manifests about a subject, which need not exist itself.
    func referrers(of subject: ImageDigest, in name: RepositoryName) async throws -> [Descriptor]

    /// The names of all repositories in byte order.
    func catalog() async throws -> [RepositoryName]
}

/// An upload that one request is using.
protocol OpenUpload: Sendable {
    var id: UploadID { get }
    /// How many bytes have arrived.
    var size: Int { get }

    /// Appends to the data.
    ///
    /// - Throws: ``UploadDamaged`` when it failed; the upload is as before then, and a later request may continue it.
    func append(_ buffers: [ByteBuffer]) async throws

    /// Makes the data a blob of the upload's repository and ends the upload.
    ///
    /// - Throws: `DIGEST_INVALID` when the data is something else; the upload is untouched then.
    func commit(as digest: ImageDigest) async throws

    /// Lets the next request use the upload.
    ///
    /// - Parameter isWhole: false after a failed append.
    func giveBack(isWhole: Bool) async throws

    /// Ends the upload and drops its data.
    func cancel() async throws
}

/// The uploads in progress.
protocol UploadStore: Sendable {
    /// Begins an upload.
    func beginUpload(_ record: UploadRecord) async throws -> any OpenUpload

    /// Hands an upload out to the one request that may use it.
    ///
    /// - Throws: `BLOB_UPLOAD_UNKNOWN` when there is no such upload in this repository, and a refusal when another
    ///   request is using it.
    func takeUpload(_ id: UploadID, in repository: RepositoryName) async throws -> any OpenUpload

    /// Removes uploads that nobody has continued since `limit`.
    func expireUploads(before limit: Date) async throws -> UploadCount
}

extension BlobContent {
    var publicURL: String? { nil }
}

/// How many uploads there are.
struct UploadCount: Hashable, Sendable {
    /// Those that go on.
    var open = 0
    /// Those just removed because nobody continued them.
    var removed = 0
}

/// Holds: manifests that must not go, and who needs them.
protocol HoldStore: Sendable {
    /// Holds a manifest with everything it needs; false when it is not in the repository.
    func hold(_ digest: ImageDigest, in name: RepositoryName, for holder: HoldName) async throws -> Bool

    /// Ends a hold; false when there was none.
    func release(_ digest: ImageDigest, in name: RepositoryName, for holder: HoldName) async throws -> Bool

    /// The held manifests of a repository and who holds them.
    func holds(in name: RepositoryName) async throws -> [ImageDigest: Set<HoldName>]
}

/// Removing what nobody needs, beside requests.
protocol CollectedStorage: Sendable {
    /// Removes what nothing refers to and what the rules let go.
    func collect(_ run: CollectionRun) async throws -> CollectionReport

    /// The bytes of a repository's blobs and manifests.
    func usage(of name: RepositoryName) async throws -> Int

    /// The bytes of all content.
    func totalUsage() async throws -> Int
}

/// Everything the API keeps.
protocol RegistryStorage: BlobStore, ManifestStore, UploadStore, HoldStore, CollectedStorage {
    /// Makes sure that the storage can be used; for readiness.
    func check() async throws
}

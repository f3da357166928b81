import FoundationEssentials
import OCIRegistry
import ObjectStorage
import OpenSSLCrypto

/// The registry's storage in a bucket of an S3 service, shared by any number of replicas.
///
/// Nothing that may change is remembered between requests: S3 answers every read and listing with what was written
/// before it, so a replica sees at once what another one confirmed. Tags are single objects, of which the last write
/// counts. Content and manifests are written under new names and never replaced, so replicas need no locks.
struct BucketStorage: RegistryStorage {
    let layout = BucketLayout()
    let objects: BucketObjects
    /// How long something that nothing needs stays.
    let grace: Duration
    /// Whether clients are sent to the service for content.
    let redirects: Bool
    let uploads: BucketUploads
    /// Records of manifests read before, by their objects, which never change.
    let knownManifests = BoundedCache<String, ManifestRecord>(limit: 100_000)
    let inspection = ObjectInspection()
    /// The entries by which blobs were found last, by their prefixes; each use asks whether they are still there.
    let knownLinks = BoundedCache<String, String>()
    let registrations = RepositoryRegistrations()

    init(store: S3ObjectStore, redirects: Bool = false, grace: Duration = .seconds(3600)) {
        self.grace = grace
        objects = BucketObjects(store: store)
        self.redirects = redirects
        uploads = BucketUploads(objects: objects)
    }

    func check() async throws { try await objects.store.check() }

    /// A name for an object that nobody else uses.
    static func newObject() -> String { SecureRandom.hex(16) }

    /// The entries of a blob in a repository, the best first.
    func links(_ digest: ImageDigest, in name: RepositoryName) async throws -> [ObjectEntry] {
        ObjectEntry.read(try await objects.list(layout.links(digest, in: name)))
    }

    func beginUpload(_ record: UploadRecord) async throws -> any OpenUpload {
        await uploads.begin(record, storage: self)
    }

    func takeUpload(_ id: UploadID, in repository: RepositoryName) async throws -> any OpenUpload {
        try await uploads.take(id, in: repository, storage: self)
    }

    func expireUploads(before limit: Date) async throws -> UploadCount {
        try await uploads.expire(before: limit, storage: self)
    }
}

import OCIRegistry

/// A blob of a repository.
struct VisibleBlob: Sendable {
    /// Content up to this length is read when its file is opened, and sent with the head of the answer.
    static let smallSize = 64 << 10

    let digest: ImageDigest
    let content: any BlobContent
}

/// What a blob is opened for.
enum BlobUse: Sendable {
    /// To hand it out.
    case reading
    /// To tell a client that it is there. A client that finds a blob does not push it, so its age begins anew; one that
    /// is about to go counts as unknown.
    case finding
}

/// The outcome of looking for a blob.
enum BlobLookup: Sendable {
    case found(VisibleBlob)
    case unknown
    /// The repository has it, but its content is missing or has another length than was committed. A client that is
    /// told it is unknown pushes it again.
    case damaged
}

/// A manifest of a repository with its exact bytes.
struct StoredManifest: Sendable {
    let digest: ImageDigest
    let record: ManifestRecord
    let bytes: [UInt8]
}

/// Stored content is shorter than it was when it was committed.
struct DamagedContent: Error {}

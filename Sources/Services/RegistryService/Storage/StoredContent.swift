import OCIRegistry

/// A blob of a repository.
struct VisibleBlob: Sendable {
    let digest: ImageDigest
    let content: any BlobContent
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

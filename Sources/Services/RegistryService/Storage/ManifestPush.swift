import FoundationEssentials
import OCIRegistry

/// A manifest about to be stored.
struct ManifestPush: Sendable {
    let manifest: Manifest
    /// The document exactly as it came.
    let bytes: [UInt8]
    /// The verified digest to store it under.
    let digest: ImageDigest
    /// The tags that are to point to it.
    let tags: [ImageTag]

    /// What is kept about the manifest beside the document.
    func record() -> ManifestRecord {
        ManifestRecord(
            mediaType: manifest.mediaType, size: bytes.count, references: manifest.references.map(\.digest),
            subject: manifest.subject?.digest, artifactType: manifest.artifactType, pushed: .now)
    }

    /// How the manifest shows in the list of its subject's referrers.
    func descriptor() -> Descriptor {
        Descriptor(
            mediaType: manifest.mediaType, digest: digest, size: bytes.count, annotations: manifest.annotations,
            artifactType: manifest.artifactType)
    }
}

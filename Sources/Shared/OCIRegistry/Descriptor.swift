/// Points to content by type, digest and size.
package struct Descriptor: Codable, Hashable, Sendable {
    /// The type of the content.
    package var mediaType: MediaType
    /// The digest of the content.
    package var digest: ImageDigest
    /// The length of the content in bytes.
    package var size: Int
    /// Places outside the registry from which the content can be had.
    package var urls: [String]?
    /// Free annotations.
    package var annotations: [String: String]?
    /// The content itself, base64, when it is embedded.
    package var data: String?
    /// The type of the artifact the content is the manifest of.
    package var artifactType: MediaType?
    /// The platform, in entries of an index.
    package var platform: Platform?

    /// Describes content.
    package init(
        mediaType: MediaType, digest: ImageDigest, size: Int, annotations: [String: String]? = nil,
        artifactType: MediaType? = nil, platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.artifactType = artifactType
        self.platform = platform
    }

    /// Whether a registry has to hold the content before it accepts a manifest naming it.
    package var mustBePresent: Bool {
        !mediaType.isNonDistributable && (urls ?? []).isEmpty
    }
}

/// The platform an image runs on.
package struct Platform: Codable, Hashable, Sendable {
    /// The processor, in Go's names: `amd64`, `arm64`.
    package var architecture: String
    /// The operating system, in Go's names: `linux`.
    package var os: String
    /// The variant of the processor, such as `v8`.
    package var variant: String?

    /// Names a platform.
    package init(architecture: String, os: String, variant: String? = nil) {
        self.architecture = architecture
        self.os = os
        self.variant = variant
    }
}

/// A media type of the container world, without parameters.
///
/// Open on purpose: artifacts bring their own types, which a registry must carry through unchanged.
package struct MediaType: Hashable, Sendable {
    /// The text as it stands in documents and headers.
    package let rawValue: String

    /// Takes a media type as written in a document; parameters after a semicolon are dropped.
    package init(_ text: String) {
        let essence = text.prefix { $0 != ";" }
        rawValue = String(essence.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    /// An OCI image index.
    package static let ociIndex = Self("application/vnd.oci.image.index.v1+json")
    /// An OCI image manifest.
    package static let ociManifest = Self("application/vnd.oci.image.manifest.v1+json")
    /// An OCI image configuration.
    package static let ociConfiguration = Self("application/vnd.oci.image.config.v1+json")
    /// An uncompressed OCI layer.
    package static let ociLayer = Self("application/vnd.oci.image.layer.v1.tar")
    /// A gzip-compressed OCI layer.
    package static let ociLayerGzip = Self("application/vnd.oci.image.layer.v1.tar+gzip")
    /// A zstd-compressed OCI layer.
    package static let ociLayerZstd = Self("application/vnd.oci.image.layer.v1.tar+zstd")
    /// The empty JSON object used where an artifact has no configuration.
    package static let ociEmpty = Self("application/vnd.oci.empty.v1+json")
    /// A Docker manifest list.
    package static let dockerIndex = Self("application/vnd.docker.distribution.manifest.list.v2+json")
    /// A Docker manifest, schema 2.
    package static let dockerManifest = Self("application/vnd.docker.distribution.manifest.v2+json")
    /// A Docker image configuration.
    package static let dockerConfiguration = Self("application/vnd.docker.container.image.v1+json")
    /// A gzip-compressed Docker layer.
    package static let dockerLayerGzip = Self("application/vnd.docker.image.rootfs.diff.tar.gzip")

    /// Whether a document of this type lists other manifests.
    package var isIndex: Bool { self == .ociIndex || self == .dockerIndex }

    /// Whether a document of this type describes one image or artifact.
    package var isImageManifest: Bool { self == .ociManifest || self == .dockerManifest }

    /// Whether layers of this type may legitimately be absent from a registry.
    package var isNonDistributable: Bool {
        rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.v1.tar")
            || rawValue == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    }
}

extension MediaType: CustomStringConvertible {
    package var description: String { rawValue }
}

extension MediaType: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(String(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        try rawValue.encode(to: encoder)
    }
}

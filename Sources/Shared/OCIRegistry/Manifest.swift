import FoundationEssentials

/// One image or artifact: a configuration and layers.
package struct ImageManifest: Codable, Hashable, Sendable {
    /// Always 2.
    package var schemaVersion: Int
    /// The document's own type; optional in OCI, mandatory in Docker's format.
    package var mediaType: MediaType?
    /// What kind of artifact this is, when it is no image.
    package var artifactType: MediaType?
    /// The image configuration.
    package var config: Descriptor
    /// The layers, bottom first.
    package var layers: [Descriptor]
    /// The manifest this one is about, for signatures, attestations and the like.
    package var subject: Descriptor?
    /// Free annotations.
    package var annotations: [String: String]?

    /// Describes an image of OCI types.
    package init(config: Descriptor, layers: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        mediaType = .ociManifest
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }
}

/// A list of manifests, one per platform or purpose.
package struct ImageIndex: Codable, Hashable, Sendable {
    /// Always 2.
    package var schemaVersion: Int
    /// The document's own type; optional in OCI, mandatory in Docker's format.
    package var mediaType: MediaType?
    /// What kind of artifact this is, when it is no image.
    package var artifactType: MediaType?
    /// The listed manifests.
    package var manifests: [Descriptor]
    /// The manifest this one is about.
    package var subject: Descriptor?
    /// Free annotations.
    package var annotations: [String: String]?

    /// Lists manifests in an OCI index.
    package init(manifests: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        mediaType = .ociIndex
        self.manifests = manifests
        self.annotations = annotations
    }
}

/// A manifest as pushed: an image or an index, with its media type settled.
package struct Manifest: Sendable {
    /// The document.
    package enum Content: Sendable {
        /// An image or artifact.
        case image(ImageManifest)
        /// A list of manifests.
        case index(ImageIndex)
    }

    /// The type under which the document is stored and served.
    package let mediaType: MediaType
    /// The document.
    package let content: Content

    /// Reads a manifest and settles its type.
    ///
    /// - Parameter contentType: what the pusher declared; when nil, the document's own `mediaType` decides, and when
    ///   that is absent too, its members.
    /// - Throws: ``OCIError`` with `.invalidManifest` when the document is malformed, of another schema version, of
    ///   a type that is no manifest, or contradicts `contentType`.
    package init(_ bytes: [UInt8], contentType: MediaType?) throws(OCIError) {
        let probe: Probe = try Self.decode(bytes)
        guard probe.schemaVersion == 2 else {
            throw OCIError(.invalidManifest, "The manifest must have schemaVersion 2.")
        }
        if let contentType, let own = probe.mediaType, own != contentType {
            throw OCIError(.invalidManifest, "The manifest says it is \(own) but was sent as \(contentType).")
        }
        let type = try Self.settle(declared: contentType, probe)
        if type.isIndex {
            guard probe.layers == nil, probe.config == nil else {
                throw OCIError(.invalidManifest, "An index must not have layers or a config.")
            }
            content = .index(try Self.decode(bytes))
        } else {
            guard probe.manifests == nil else {
                throw OCIError(.invalidManifest, "An image manifest must not list manifests.")
            }
            content = .image(try Self.decode(bytes))
        }
        mediaType = type
        guard references.allSatisfy({ $0.size >= 0 }), (subject?.size ?? 0) >= 0 else {
            throw OCIError(.invalidManifest, "A descriptor has a negative size.")
        }
    }

    /// The manifest this one is about.
    package var subject: Descriptor? {
        switch content {
        case .image(let image): image.subject
        case .index(let index): index.subject
        }
    }

    /// The annotations of the document.
    package var annotations: [String: String]? {
        switch content {
        case .image(let image): image.annotations
        case .index(let index): index.annotations
        }
    }

    /// The artifact type shown by the referrers API: the document's own, else an image's configuration type.
    package var artifactType: MediaType? {
        switch content {
        case .image(let image): image.artifactType ?? image.config.mediaType
        case .index(let index): index.artifactType
        }
    }

    /// Everything the document needs to be whole: configuration and layers, or the listed manifests. Not the subject.
    package var references: [Descriptor] {
        switch content {
        case .image(let image): [image.config] + image.layers
        case .index(let index): index.manifests
        }
    }

    /// The few members that decide what a document is; their contents are read in the second pass.
    private struct Probe: Decodable {
        struct Presence: Decodable {
            init(from decoder: any Decoder) {}
        }

        let schemaVersion: Int
        let mediaType: MediaType?
        let config: Presence?
        let layers: Presence?
        let manifests: Presence?
    }

    private static func settle(declared: MediaType?, _ probe: Probe) throws(OCIError) -> MediaType {
        let inferred: MediaType? =
            probe.manifests != nil ? .ociIndex : probe.config != nil && probe.layers != nil ? .ociManifest : nil
        guard let type = declared ?? probe.mediaType ?? inferred else {
            throw OCIError(.invalidManifest, "The manifest has no media type.")
        }
        guard type.isIndex || type.isImageManifest else {
            throw OCIError(.invalidManifest, "Manifests of type \(type) are not accepted.")
        }
        return type
    }

    private static func decode<Document: Decodable>(_ bytes: [UInt8]) throws(OCIError) -> Document {
        do {
            return try JSONDecoder().decode(Document.self, from: Data(bytes))
        } catch {
            throw OCIError(.invalidManifest, "The manifest is not valid: \(DocumentProblem(error)).")
        }
    }
}

import FoundationEssentials
import OCIRegistry
import Testing

/// Something a repository may hold: a manifest with what it needs, of one of the kinds the specification knows.
struct ContentSample: Sendable, CustomTestStringConvertible {
    let title: String
    let type: OCIRegistry.MediaType
    let manifest: [UInt8]
    var blobs: [[UInt8]] = []
    var children: [ContentSample] = []
    var algorithm = ImageDigest.Algorithm.sha256
    /// What the referrers API tells of it, when it is about another manifest.
    var referrer: Referrer?

    struct Referrer: Sendable {
        let subject: ImageDigest
        var artifactType: String?
        var annotations: [String: String]?
    }

    var digest: ImageDigest { ImageDigest(of: manifest, algorithm: algorithm) }
    var testDescription: String { title }

    /// As an entry of an index or as the subject of another manifest.
    var descriptor: String { Self.descriptor(type.rawValue, digest, manifest.count) }

    static func descriptor(_ type: String, _ digest: ImageDigest, _ size: Int, _ more: String = "") -> String {
        #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(size)\#(more)}"#
    }

    private static let empty = Array("{}".utf8)
    private static let emptyType = OCIRegistry.MediaType.ociEmpty.rawValue
    private static let chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

    // MARK: Making

    /// What distinguishes one image or artifact from another.
    private struct Parts {
        var type = OCIRegistry.MediaType.ociManifest
        var configType = OCIRegistry.MediaType.ociConfiguration.rawValue
        var layerType = OCIRegistry.MediaType.ociLayerGzip.rawValue
        var layers = 2
        var algorithm = ImageDigest.Algorithm.sha256
        /// Members besides the usual ones, each with a comma before it.
        var more = ""
        /// Members of the layers' descriptors, likewise.
        var layerMore = ""
        /// Whether the layers are in the repository.
        var hasLayers = true
    }

    private static func image(_ title: String, _ parts: Parts = Parts()) -> ContentSample {
        let config =
            parts.configType == emptyType ? empty : Array(#"{"architecture":"amd64","os":"\#(title)"}"#.utf8)
        let layers = (0..<parts.layers).map { [UInt8].sample(2000 + $0, seed: title.utf8.count + $0) }
        let descriptors = layers.map {
            descriptor(parts.layerType, ImageDigest(of: $0, algorithm: parts.algorithm), $0.count, parts.layerMore)
        }
        let configDigest = ImageDigest(of: config, algorithm: parts.algorithm)
        let text = """
            {"schemaVersion":2,"mediaType":"\(parts.type)",
             "config":\(descriptor(parts.configType, configDigest, config.count)),
             "layers":[\(descriptors.joined(separator: ","))]\(parts.more)}
            """
        return ContentSample(
            title: title, type: parts.type, manifest: Array(text.utf8),
            blobs: [config] + (parts.hasLayers ? layers : []), algorithm: parts.algorithm)
    }

    private static func index(
        _ title: String, of children: [ContentSample], type: OCIRegistry.MediaType = .ociIndex, more: String = ""
    ) -> ContentSample {
        let entries = children.map(\.descriptor).joined(separator: ",")
        let text = #"{"schemaVersion":2,"mediaType":"\#(type)","manifests":[\#(entries)]\#(more)}"#
        return ContentSample(title: title, type: type, manifest: Array(text.utf8), children: children)
    }

    private static func about(
        _ subject: ContentSample, _ sample: ContentSample, type: String? = nil, annotations: [String: String]? = nil
    ) -> ContentSample {
        var sample = sample
        sample.referrer = Referrer(subject: subject.digest, artifactType: type, annotations: annotations)
        return sample
    }

    // MARK: The samples

    static let plain = image("an image")
    private static let other = image("an image for another platform")
    private static let absent = image("an image nobody pushes")

    /// What may be about `subject`: with a type of its own, with only a configuration's, and an index without any.
    static func referrers(of subject: ContentSample) -> [ContentSample] {
        let about = #","subject":\#(subject.descriptor)"#
        let signature = image(
            "a signature",
            Parts(
                configType: emptyType, layers: 1,
                more: about + #","artifactType":"application/x-signature","annotations":{"by":"ada"}"#))
        let listing = image("a bill of materials", Parts(configType: "application/x-sbom", layers: 1, more: about))
        return [
            Self.about(subject, signature, type: "application/x-signature", annotations: ["by": "ada"]),
            Self.about(subject, listing, type: "application/x-sbom"),
            Self.about(subject, index("an index about an image", of: [plain], more: about)),
            Self.about(
                subject,
                index(
                    "an artifact index about an image", of: [], more: about + #","artifactType":"application/x-list""#),
                type: "application/x-list"),
        ]
    }

    static let images: [ContentSample] = [
        plain,
        image("an uncompressed image", Parts(layerType: OCIRegistry.MediaType.ociLayer.rawValue)),
        image("a zstd image", Parts(layerType: OCIRegistry.MediaType.ociLayerZstd.rawValue)),
        image(
            "a Docker image",
            Parts(
                type: .dockerManifest, configType: OCIRegistry.MediaType.dockerConfiguration.rawValue,
                layerType: OCIRegistry.MediaType.dockerLayerGzip.rawValue)),
        image("an image without layers", Parts(layers: 0)),
        image("an image by sha512", Parts(algorithm: .sha512)),
        image(
            "an image with embedded data",
            Parts(more: #","annotations":{"a":"b"}"#, layerMore: #","data":"e30=","annotations":{"c":"d"}"#)),
        image(
            "an image with layers from elsewhere",
            Parts(
                layerType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                layerMore: #","urls":["https://elsewhere.example/layer"]"#, hasLayers: false)),
        image(
            "an image with unknown members",
            Parts(more: #","x-new":{"deep":[1,null,true]}"#, layerMore: #","x-other":"\u00e9 \/""#)),
        image(
            "a manifest of 3.9 MB",
            Parts(more: #","annotations":{"long":"\#(String(repeating: "0123456789", count: 390_000))"}"#)),
    ]

    static let indexes: [ContentSample] = [
        index("an index", of: [plain, other]),
        index("a Docker manifest list", of: [images[3]], type: .dockerIndex),
        index("a nested index", of: [index("an index", of: [plain, other]), other]),
        index("an empty index", of: []),
    ]

    /// A list of images of which one is missing; no registry may refuse it that serves only what it was given.
    static let sparse: ContentSample = {
        var sample = index("a sparse index", of: [plain, absent])
        sample.children = [plain]
        return sample
    }()

    static let artifacts: [ContentSample] = [
        image(
            "an artifact",
            Parts(configType: emptyType, layerType: "text/x-note", more: #","artifactType":"application/x-notes""#)),
        image(
            "an artifact without layers",
            Parts(configType: emptyType, layers: 0, more: #","artifactType":"application/x-nothing""#)),
        image("a chart", Parts(configType: "application/vnd.cncf.helm.config.v1+json", layerType: chart, layers: 1)),
        index("an artifact index", of: [plain], more: #","artifactType":"application/x-set""#),
    ]

    static let all = images + indexes + [sparse] + artifacts + referrers(of: plain) + [referrers(of: absent)[0]]
}

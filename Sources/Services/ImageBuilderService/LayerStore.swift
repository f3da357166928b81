import CommandRunner
import FoundationEssentials
import ServiceHTTP

/// The images and layers of the container storage, as its own index files tell.
///
/// Read only; images are removed by buildah. No command of buildah tells sizes of layers in bytes or who shares them.
struct LayerStore: Sendable {
    /// The storage's folder.
    let root: String
    let driver: String

    /// Asks buildah where its storage is.
    static func locate(_ buildah: Buildah) async throws -> LayerStore {
        struct Information: Decodable {
            struct Store: Decodable {
                let root: String
                let driver: String

                enum CodingKeys: String, CodingKey {
                    case root = "GraphRoot"
                    case driver = "GraphDriverName"
                }
            }

            let store: Store
        }
        let result = try await CommandRunner.check(buildah.command(["info"]))
        let store = try JSONCoding.decoder.decode(Information.self, from: Data(result.standardOutput)).store
        return LayerStore(root: store.root, driver: store.driver)
    }

    func contents() throws -> LayerContents {
        struct Layer: Decodable {
            let id: String
            let parent: String?
            let size: Int?

            enum CodingKeys: String, CodingKey {
                case id, parent
                case size = "diff-size"
            }
        }
        struct Image: Decodable {
            let id: String
            let names: [String]?
            let layer: String?
            let created: Date?
        }
        struct Container: Decodable {
            let image: String?
            let layer: String?
        }
        let layers = try read("layers", as: Layer.self) + read("layers", file: "volatile-layers", as: Layer.self)
        let containers = try read("containers", as: Container.self)
        let inUse = Set(containers.compactMap(\.image))
        return LayerContents(
            layers: Dictionary(
                layers.map { ($0.id, LayerContents.Layer(parent: $0.parent, size: max(0, $0.size ?? 0))) }
            ) { first, _ in first },
            images: try read("images", as: Image.self).map { image in
                LayerContents.Image(
                    id: image.id, layer: image.layer, created: image.created ?? .distantPast,
                    isKept: inUse.contains(image.id) || image.names?.contains { !$0.contains("@") } == true)
            })
    }

    private func read<Entry: Decodable>(_ kind: String, file: String? = nil, as: Entry.Type) throws -> [Entry] {
        let path = "\(root)/\(driver)-\(kind)/\(file ?? kind).json"
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            // Nine digits of a second's fraction are more than a date format here reads.
            return try Date(String(text.prefix(19)) + "Z", strategy: .iso8601)
        }
        return try decoder.decode([Entry].self, from: Data(contentsOf: URL(filePath: path)))
    }
}

/// What the container storage holds at one moment.
struct LayerContents: Sendable {
    struct Layer: Sendable {
        let parent: String?
        /// Bytes of the layer's own files.
        let size: Int
    }

    struct Image: Sendable {
        let id: String
        /// The uppermost layer; nil for an image without files.
        let layer: String?
        let created: Date
        /// It has a tag, or a container uses it: never removed here.
        let isKept: Bool
    }

    let layers: [String: Layer]
    let images: [Image]

    /// Bytes of the layers no kept image needs.
    var cacheBytes: Int {
        var kept: Set<String> = []
        for image in images where image.isKept {
            var next = image.layer
            while let layer = next, kept.insert(layer).inserted { next = layers[layer]?.parent }
        }
        return layers.reduce(0) { kept.contains($1.key) ? $0 : $0 + $1.value.size }
    }
}

import FoundationEssentials

/// When builds used which image last: an empty file for each, whose time says it.
///
/// The storage itself knows when a layer was made, not when it last saved a build its work.
struct LayerUses: Sendable {
    private let folder: String

    /// - Parameter root: the container storage's folder.
    init(root: String) { folder = root + "/build-uses" }

    func mark(_ image: String) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: "\(folder)/\(image)"))
    }

    func all() throws -> [String: Date] {
        let files = FileManager.default
        guard files.fileExists(atPath: folder) else { return [:] }
        var uses: [String: Date] = [:]
        for image in try files.contentsOfDirectory(atPath: folder) {
            let attributes = try files.attributesOfItem(atPath: "\(folder)/\(image)")
            uses[image] = attributes[.modificationDate] as? Date
        }
        return uses
    }

    /// Forgets images that are not there any more.
    func keepOnly(_ images: Set<String>) throws {
        for image in try all().keys where !images.contains(image) {
            try FileManager.default.removeItem(atPath: "\(folder)/\(image)")
        }
    }
}

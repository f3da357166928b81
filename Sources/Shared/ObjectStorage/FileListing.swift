import FoundationEssentials

/// Walks a tree of files in the byte order of their keys and collects one page.
struct FileListing {
    let files: FileTree
    let root: String
    let prefix: String
    let after: ObjectKey?
    let limit: Int

    private struct Entry {
        let name: String
        let isDirectory: Bool
        let size: Int
        let modified: Date
    }

    func page() throws -> ObjectPage {
        var found: [ObjectMetadata] = []
        // One more than asked for tells whether another page follows.
        try collect(folder: "", into: &found, upTo: limit + 1)
        let objects = Array(found.prefix(limit))
        return ObjectPage(objects: objects, next: found.count > limit ? objects.last?.key : nil)
    }

    private func collect(folder: String, into found: inout [ObjectMetadata], upTo most: Int) throws {
        for entry in try entries(of: folder) where found.count < most {
            let key = folder + entry.name
            if entry.isDirectory {
                if mayHold(key + "/") { try collect(folder: key + "/", into: &found, upTo: most) }
            } else if key.hasPrefix(prefix), isAfter(key) {
                // A file whose name is no key was put there by somebody else and is not an object.
                guard let objectKey = try? ObjectKey(key) else { continue }
                found.append(ObjectMetadata(key: objectKey, size: entry.size, modified: entry.modified))
            }
        }
    }

    /// The entries of a folder, ordered as their keys are: a folder sorts as its name with the slash.
    private func entries(of folder: String) throws -> [Entry] {
        var entries: [Entry] = []
        for name in try files.names(in: "\(root)/\(folder)") where !name.hasPrefix(".") {
            guard let status = try files.status("\(root)/\(folder)\(name)") else { continue }
            entries.append(
                Entry(name: name, isDirectory: status.isDirectory, size: status.size, modified: status.modified))
        }
        return entries.sorted { left, right in
            let leftKey = left.isDirectory ? left.name + "/" : left.name
            let rightKey = right.isDirectory ? right.name + "/" : right.name
            return leftKey.utf8.lexicographicallyPrecedes(rightKey.utf8)
        }
    }

    /// Whether keys below `folder` can match the prefix and come after the start.
    private func mayHold(_ folder: String) -> Bool {
        guard folder.hasPrefix(prefix) || prefix.hasPrefix(folder) else { return false }
        guard let after else { return true }
        let start = "\(after)"
        return start.hasPrefix(folder) || start.utf8.lexicographicallyPrecedes(folder.utf8)
    }

    private func isAfter(_ key: String) -> Bool {
        guard let after else { return true }
        return "\(after)".utf8.lexicographicallyPrecedes(key.utf8)
    }
}

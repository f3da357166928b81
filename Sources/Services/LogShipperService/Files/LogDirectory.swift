import FoundationEssentials

/// Finds the log files below one directory.
struct LogDirectory {
    struct Found {
        /// The folders there are, the root included; each wants to be watched.
        var folders: [String] = []
        /// The files, those of a folder from the oldest to the newest.
        var files: [(path: String, name: LogFileName)] = []
    }

    static let depthLimit = 6

    let root: String

    /// What there is now. A folder that vanishes meanwhile is passed over.
    func scan() -> Found {
        var found = Found()
        var pending = [(folder: root, depth: 0)]
        while let (folder, depth) = pending.popLast() {
            // Gone or not ours to read: the next scan looks again.
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { continue }
            found.folders.append(folder)
            var files: [(path: String, name: LogFileName)] = []
            for name in names {
                let path = folder + "/" + name
                if let name = LogFileName(name) {
                    files.append((path, name))
                } else if depth < Self.depthLimit, Self.isFolder(path) {
                    pending.append((path, depth + 1))
                }
            }
            found.files += files.sorted { $0.name < $1.name }
        }
        return found
    }

    private static func isFolder(_ path: String) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }
}

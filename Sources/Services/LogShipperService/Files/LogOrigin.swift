import FoundationEssentials

/// Which container of which app writes a log file.
struct LogOrigin: Equatable, Sendable {
    var namespace: String
    var pod: String
    var container: String
    var labels: [String: String]

    private struct Document: Decodable {
        let app: String?
        let namespace: String?
        let pod: String?
        let type: String?
        let version: String?
        let container: String?
    }

    /// Reads `metadata.json` beside the file or in a folder above it, up to `root`; else tells from the names of the
    /// folders, `<namespace>_<pod>_<uid>/<container>/<n>.log`. Nil when neither says.
    init?(file: String, root: String) {
        var folders: [String] = []
        var folder = Self.parent(of: file)
        while folder.count >= root.count, folder.hasPrefix(root) {
            folders.append(folder)
            if folder == root { break }
            folder = Self.parent(of: folder)
        }
        let names = folders.lazy.compactMap { Self.lastName(of: $0) }
        let named = names.compactMap { LogOrigin(folderName: $0) }.first
        let containerName = folders.count > 2 ? Self.lastName(of: folders[0]) : nil
        for folder in folders {
            if let origin = LogOrigin(metadata: folder + "/metadata.json", named: named, container: containerName) {
                self = origin
                return
            }
        }
        guard var named else { return nil }
        named.container = containerName ?? ""
        self = named
    }

    private init?(metadata path: String, named: LogOrigin?, container: String?) {
        // A missing or half-written document is looked for again with the next scan.
        guard let data = FileManager.default.contents(atPath: path),
            let document = try? JSONDecoder().decode(Document.self, from: data),
            let namespace = document.namespace ?? document.app ?? named?.namespace
        else { return nil }
        self.namespace = namespace
        pod = document.pod ?? named?.pod ?? ""
        self.container = document.container ?? container ?? ""
        labels = ["app": document.app ?? namespace]
        labels["type"] = document.type ?? named?.labels["type"]
        labels["version"] = document.version
    }

    /// `<namespace>_<pod>_<uid>`; the type of process is the part of the pod's name after the app's, if it is built so.
    private init?(folderName: String) {
        let parts = folderName.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        namespace = String(parts[0])
        pod = String(parts[1])
        container = ""
        labels = ["app": namespace]
        let words = pod.dropFirst(namespace.count + 1).split(separator: "-", omittingEmptySubsequences: false)
        if pod.hasPrefix(namespace + "-"), words.count >= 3 {
            labels["type"] = words.dropLast(2).joined(separator: "-")
        }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return String(path[..<slash])
    }

    private static func lastName(of path: String) -> String? {
        path.split(separator: "/").last.map(String.init)
    }
}

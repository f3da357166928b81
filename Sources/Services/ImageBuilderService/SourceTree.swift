import FoundationEssentials
import Glibc

/// The unpacked source, read with care: what a pusher put there may be a link to anywhere on this machine.
struct SourceTree: Sendable {
    /// Files that steer the build are small; this much of one is read at most.
    static let limit = 1 << 20

    /// The folder, with every link in its own path resolved.
    let root: String

    init(directory: String) {
        root = URL(filePath: directory).resolvingSymlinksInPath().standardizedFileURL.path
    }

    /// The text of a file; nil when there is none, or something else than a file.
    ///
    /// - Throws: ``BuildFailure`` when its path leads out of the source, or it is too large.
    func text(_ name: String) throws -> String? {
        guard let path = try path(name), Self.kind(of: path) == S_IFREG else { return nil }
        let bytes = try Data(contentsOf: URL(filePath: path))
        guard bytes.count <= Self.limit else {
            throw BuildFailure(.detect, "The file \(name) is larger than \(Self.limit >> 20) MiB.")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names in a folder, sorted; nil when there is no such folder.
    ///
    /// - Throws: ``BuildFailure`` when its path leads out of the source.
    func names(in name: String) throws -> [String]? {
        guard let path = try path(name), Self.kind(of: path) == S_IFDIR else { return nil }
        return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    /// The real path of something in the source; nil when there is nothing of that name.
    ///
    /// - Throws: ``BuildFailure`` when it lies elsewhere.
    func path(_ name: String) throws(BuildFailure) -> String? {
        guard let real = realpath(root + "/" + name, nil) else { return nil }
        defer { free(real) }
        let path = String(cString: real)
        guard path == root || path.hasPrefix(root + "/") else {
            throw BuildFailure(
                .detect, "\(name) lies outside of the source.", hint: "Commit the file itself instead of a link to it.")
        }
        return path
    }

    private static func kind(of path: String) -> mode_t {
        var status = stat()
        // What cannot be looked at is no file.
        guard lstat(path, &status) == 0 else { return 0 }
        return status.st_mode & S_IFMT
    }
}

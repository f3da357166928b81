import Glibc
import ServiceRuntime

/// A marked block of names in the machine's hosts file, for clients that do not resolve names under localhost.
struct HostsFile: Sendable {
    let path: String
    /// Tells the blocks of several installations apart.
    let owner: String

    private var opening: String { "# BEGIN workflow \(owner)" }
    private var closing: String { "# END workflow \(owner)" }

    /// `content` with exactly one block for `names`, in its old place or at the end; without names, with none.
    func text(replacing content: String, names: [String], address: String = "127.0.0.1") -> String {
        var lines = content.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        var kept: [String] = []
        var place: Int?
        var isInside = false
        for line in lines {
            if line == opening {
                place = place ?? kept.count
                isInside = true
            } else if isInside {
                isInside = line != closing
            } else {
                kept.append(line)
            }
        }
        if !names.isEmpty {
            let block = [opening] + names.map { "\(address) \($0)" } + [closing]
            kept.insert(contentsOf: block, at: place ?? kept.count)
        }
        return kept.isEmpty ? "" : kept.joined(separator: "\n") + "\n"
    }

    /// Brings the file to hold exactly one block for `names`.
    /// - Returns: whether the file had to change.
    @discardableResult
    func update(names: [String]) throws -> Bool {
        let old = try StateFile.readText(path) ?? ""
        let new = text(replacing: old, names: names)
        guard new != old else { return false }
        try overwrite(with: Array(new.utf8))
        return true
    }

    /// Whether the file's block holds exactly these names.
    func isCurrent(names: [String]) throws -> Bool {
        let content = try StateFile.readText(path) ?? ""
        return text(replacing: content, names: names) == content
    }

    /// Writes into the file itself: in containers it is a mount of its own and cannot be replaced.
    private func overwrite(with bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw StateFile.Failure(path: path, errno: errno) }
        defer { close(descriptor) }
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { throw StateFile.Failure(path: path, errno: errno) }
            offset += written
        }
        guard ftruncate(descriptor, off_t(bytes.count)) == 0 else { throw StateFile.Failure(path: path, errno: errno) }
    }
}

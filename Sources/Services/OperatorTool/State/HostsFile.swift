import Glibc
import ServiceRuntime

/// A marked block of names in the machine's hosts file, for clients that do not resolve names under localhost.
///
/// Whatever stands outside the block is kept byte for byte, in whatever encoding and with whatever line ends.
struct HostsFile: Sendable {
    let path: String
    /// Tells the blocks of several installations apart.
    let owner: String

    private var opening: String { "# BEGIN workflow \(owner)" }
    private var closing: String { "# END workflow \(owner)" }

    /// `content` with exactly one block for `names`, in its old place or at the end; without names, with none.
    func content(replacing content: [UInt8], names: [String], address: String = "127.0.0.1") -> [UInt8] {
        let own = names.map { "\(address) \($0)" }
        var lines = Self.lines(of: content)
        var place: Int?
        while let start = lines.firstIndex(where: { Self.text(of: $0) == opening }) {
            lines.removeSubrange(start..<end(ofBlockAt: start, in: lines, own: own))
            place = place ?? start
        }
        guard !names.isEmpty else { return Array(lines.joined()) }
        let target = place ?? lines.count
        if target > 0, lines[target - 1].last != UInt8(ascii: "\n") { lines[target - 1].append(UInt8(ascii: "\n")) }
        let block = ([opening] + own + [closing]).map { ArraySlice("\($0)\n".utf8) }
        lines.insert(contentsOf: block, at: target)
        return Array(lines.joined())
    }

    /// One past the block's last line. A block somebody took the end off goes only as far as its lines are ours:
    /// what follows belongs to others.
    private func end(ofBlockAt start: Int, in lines: [ArraySlice<UInt8>], own: [String]) -> Int {
        let rest = lines[(start + 1)...]
        let closed = rest.firstIndex { Self.text(of: $0) == closing }
        let reopened = rest.firstIndex { Self.text(of: $0) == opening } ?? lines.endIndex
        if let closed, closed < reopened { return closed + 1 }
        return rest.firstIndex { !own.contains(Self.text(of: $0)) } ?? lines.endIndex
    }

    /// The lines with their ends.
    private static func lines(of content: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var rest = content[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(rest[...end])
            rest = rest[(end + 1)...]
        }
        return rest.isEmpty ? lines : lines + [rest]
    }

    private static func text(of line: ArraySlice<UInt8>) -> String {
        var line = line
        while line.last == UInt8(ascii: "\n") || line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }

    /// Brings the file to hold exactly one block for `names`.
    /// - Returns: whether the file had to change.
    @discardableResult
    func update(names: [String]) throws(StateFile.Failure) -> Bool {
        let old = try StateFile.read(path) ?? []
        let new = content(replacing: old, names: names)
        guard new != old else { return false }
        try replace(with: new)
        return true
    }

    /// Whether the file's block holds exactly these names.
    func isCurrent(names: [String]) throws(StateFile.Failure) -> Bool {
        let old = try StateFile.read(path) ?? []
        return content(replacing: old, names: names) == old
    }

    /// Puts a whole new file in place, so that no reader ever sees half of it.
    private func replace(with bytes: [UInt8]) throws(StateFile.Failure) {
        // A link is kept: the file it leads to is the one to replace.
        let target = realpath(path, nil)
        defer { free(target) }
        let file = target.map { String(cString: $0) } ?? path
        var status = stat()
        let mode = stat(file, &status) == 0 ? status.st_mode & 0o7777 : 0o644
        do throws(StateFile.Failure) {
            try StateFile.write(bytes, to: file, mode: mode)
        } catch {
            // In a container the file is a mount of its own, and some folders take no new files.
            guard [EBUSY, EXDEV, EACCES, EPERM, EROFS].contains(error.errno) else { throw error }
            try StateFile.remove("\(file).new")
            try overwrite(file, with: bytes)
        }
    }

    private func overwrite(_ file: String, with bytes: [UInt8]) throws(StateFile.Failure) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw StateFile.Failure(path: file, errno: errno) }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw StateFile.Failure(path: file, errno: errno) }
            rest = rest.dropFirst(written)
        }
        guard ftruncate(descriptor, off_t(bytes.count)) == 0 else { throw StateFile.Failure(path: file, errno: errno) }
    }
}

import FoundationEssentials
import Glibc
import ServiceRuntime

/// Remembers positions in one file of a directory: each change is a line, and the file is rewritten when it has grown.
///
/// A change survives the end of the process as soon as ``write(_:)`` returns. Used by one tailer alone; a lock keeps a
/// second process out.
final class PositionJournal {
    private static let name = "positions.jsonl"
    private static let compactionSize = 8 << 20

    private struct Line: Codable {
        var position: FilePosition?
        var removed: String?
    }

    private let directory: String
    private let lock: ProcessLock
    private var positions: [String: FilePosition] = [:]
    private var descriptor: CInt = -1
    private var size = 0
    /// A write failed in the middle of a line; the next change writes everything anew.
    private var isTorn = false
    /// Whether there was a journal before: a first start may begin at the end of files.
    let isFresh: Bool

    /// Opens the journal, making the directory if needed.
    init(directory: String) throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        self.directory = directory
        lock = try ProcessLock(path: directory + "/lock")
        let content = FileManager.default.contents(atPath: directory + "/" + Self.name)
        isFresh = content == nil
        for line in (content ?? Data()).split(separator: UInt8(ascii: "\n")) {
            // The last line may be cut by the end of the machine; its change is then repeated.
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(line)) else { continue }
            if let position = line.position { positions[position.id] = position }
            if let id = line.removed { positions[id] = nil }
        }
        try rewrite()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    var all: [FilePosition] { Array(positions.values) }

    /// Remembers changed positions and forgets others, in one step.
    func write(_ changed: [FilePosition], removing removed: [String] = []) throws {
        guard !changed.isEmpty || !removed.isEmpty else { return }
        var bytes: [UInt8] = []
        for position in changed {
            positions[position.id] = position
            bytes += try Self.encode(Line(position: position))
        }
        for id in removed {
            positions[id] = nil
            bytes += try Self.encode(Line(removed: id))
        }
        if isTorn || size > Self.compactionSize { return try rewrite() }
        try append(bytes)
    }

    /// Asks the disk to have everything.
    func synchronize() throws(FileFailure) {
        guard fdatasync(descriptor) == 0 else { throw FileFailure(errno, "fdatasync", directory) }
    }

    private static func encode(_ line: Line) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(line)) + [UInt8(ascii: "\n")]
    }

    private func append(_ bytes: [UInt8]) throws(FileFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                isTorn = true
                throw FileFailure(errno, "write", directory)
            }
            written += count
        }
        size += bytes.count
    }

    private func rewrite() throws {
        let target = directory + "/" + Self.name
        let temporary = target + ".tmp"
        let fresh = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        guard fresh >= 0 else { throw FileFailure(errno, "open", temporary) }
        if descriptor >= 0 { close(descriptor) }
        descriptor = fresh
        size = 0
        try append(try positions.values.flatMap { try Self.encode(Line(position: $0)) })
        try synchronize()
        isTorn = true
        guard rename(temporary, target) == 0 else { throw FileFailure(errno, "rename", target) }
        isTorn = false
    }
}

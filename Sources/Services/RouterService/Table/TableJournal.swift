import Glibc
import ServiceRuntime

/// The file a starting nginx, and the next router, takes the table from: a whole table and the changes since.
///
/// A change is appended, so that keeping it costs its own size; past the size of the whole table the file is written
/// anew. A change that was cut off by a crash is left out by its readers. An appended change survives the death of any
/// process but is not forced to the disk: a machine that starts anew asks the controller anyhow.
struct TableJournal: Sendable {
    private let path: String
    private var wholeSize = 0
    private var appendedSize = 0
    /// Whether the file is known to hold the table in force.
    private var isWhole = false

    init(path: String) { self.path = path }

    /// The stored table, nil when there is none.
    func read() throws -> StoredRecords? {
        guard let text = try StateFile.readText(path) else { return nil }
        return try StoredRecords(text)
    }

    /// Whether the next change should come as a whole table.
    var wantsWhole: Bool { !isWhole || appendedSize > max(wholeSize, 256 << 10) }

    mutating func write(_ whole: String) throws(StateFile.Failure) {
        isWhole = false
        try StateFile.write(whole, to: path, mode: 0o600)
        isWhole = true
        wholeSize = whole.utf8.count
        appendedSize = 0
    }

    mutating func append(_ change: String) throws(StateFile.Failure) {
        isWhole = false
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw StateFile.Failure(path: path, errno: errno) }
        defer { close(descriptor) }
        let content = Array(change.utf8)
        // A part of it counts for nothing, as its count of lines is missing.
        guard Glibc.write(descriptor, content, content.count) == content.count else {
            throw StateFile.Failure(path: path, errno: errno)
        }
        appendedSize += content.count
        isWhole = true
    }
}

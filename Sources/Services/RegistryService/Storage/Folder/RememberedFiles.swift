import FoundationEssentials
import ObjectStorage

/// What small files said when they were read last, as long as they are the same files.
///
/// A file is remembered only when its last change is older than the grain of the clock that dates changes, so that any
/// later change shows.
final class RememberedFiles<Value: Sendable>: Sendable {
    private struct Entry {
        let status: FileStatus
        let value: Value
        /// When the file was last seen to be the one remembered.
        var look: FolderLook?
    }

    private static var grain: TimeInterval { 0.1 }

    private let entries: BoundedCache<String, Entry>

    /// - Parameters:
    ///   - limit: how many files are remembered; past it all are forgotten.
    ///   - budget: how much may be remembered of them, as `weigh` tells it.
    init(limit: Int, budget: Int = .max, weigh: @escaping @Sendable (Value) -> Int = { _ in 0 }) {
        entries = BoundedCache(limit: limit, budget: budget) { weigh($0.value) }
    }

    /// What a file or folder says; nil when it is missing or says nothing. Blocking.
    ///
    /// Asks the file for its identity, length and time at each use.
    /// - Parameters:
    ///   - isKept: whether a value is small enough to be remembered.
    func value(
        at path: String, _ files: FileTree, isKept: (Value) -> Bool = { _ in true }, read: () throws -> Value?
    ) throws -> Value? {
        guard let status = try files.status(path) else { return nil }
        if let known = entries[path], known.status == status { return known.value }
        guard let value = try read() else { return nil }
        if isKept(value) { remember(value, path, status) }
        return value
    }

    /// Remembers what a file said that was `status` before it was read.
    func remember(_ value: Value, _ path: String, _ status: FileStatus) {
        guard -status.modified.timeIntervalSinceNow > Self.grain else { return }
        entries[path] = Entry(status: status, value: value)
    }

    /// What a file or folder says, if it was read before and is the same now; nil when it has to be read.
    func recall(_ path: String, _ files: FileTree) throws -> Value? { try sighting(of: path, files)?.value }

    /// What ``recall(_:_:)`` tells, and when that was seen.
    ///
    /// Looks at nothing but the status of a file that was used lately, which does not wait for the disk, and not even
    /// at that when it did so a moment ago.
    func sighting(of path: String, _ files: FileTree) throws -> (value: Value, look: FolderLook)? {
        let look = FolderLook(files)
        guard let known = entries[path] else { return nil }
        if let earlier = known.look, earlier.covers(look) { return (known.value, earlier) }
        guard try files.status(path) == known.status else { return nil }
        entries.update(path) { entry in
            if entry.status == known.status { entry.look = look }
        }
        return (known.value, look)
    }
}

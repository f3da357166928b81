import Glibc
import Synchronization

/// Blocking operations on files and folders by path, with a stated durability.
///
/// All of them block; call them on a thread made for that. A rename within one file system is atomic: after a crash
/// the old or the new state is there. With `isDurable`, what was renamed also survives a loss of power once the call
/// returns.
package struct FileTree: Sendable {
    /// Whether writes and renames are flushed to the disk before a call returns.
    package let isDurable: Bool

    private let changeCount = ChangeCount()

    /// Differs from before when a file may have been placed or removed by these operations meanwhile.
    package var changes: Int { changeCount.value.load(ordering: .acquiring) }

    /// Creates the operations.
    package init(isDurable: Bool) {
        self.isDurable = isDurable
    }

    /// What is known of a file; nil when it is missing.
    package func status(_ path: String) throws(FileFailure) -> FileStatus? {
        var status = stat()
        if lstat(path, &status) == 0 { return FileStatus(status) }
        let failure = FileFailure(operation: "stat")
        // A file where the path needs a folder means just as well that nothing is there.
        guard failure.condition == .missing || failure.number == ENOTDIR else { throw failure }
        return nil
    }

    /// Creates a folder and those above it; existing ones are left alone.
    ///
    /// Others may remove empty folders meanwhile: what is gone before the call has come to its end is made again.
    package func makeDirectory(_ path: String) throws(FileFailure) {
        while true {
            if mkdir(path, 0o750) == 0 {
                try synchronizeDirectory(Self.parent(of: path))
                return
            }
            let failure = FileFailure(operation: "mkdir")
            switch failure.number {
            case EEXIST:
                guard let status = try status(path) else { continue }
                guard status.isDirectory else { throw failure }
                return
            case ENOENT where Self.parent(of: path) != path:
                try makeDirectory(Self.parent(of: path))
            default:
                throw failure
            }
        }
    }

    /// Makes files appear at their paths, in the order given, replacing what is there and creating folders as needed.
    ///
    /// All contents are flushed before the first file appears, and all entries before the call returns, so that many
    /// files cost hardly more than one. After a crash a file may be there while a later one of the list is not. A
    /// folder that somebody removed because it was still empty is made again.
    package func place(_ placements: [FilePlacement]) throws(FileFailure) {
        defer { changeCount.increment() }
        do throws(FileFailure) {
            for placement in placements {
                try makeDirectory(Self.parent(of: placement.path))
                guard let bytes = placement.bytes else { continue }
                let file = try OpenFile(placement.source, .creating)
                try file.write(bytes)
                if isDurable { try file.synchronize() }
            }
            for placement in placements { try place(placement) }
        } catch {
            // The first failure is the one to report; what stays of the new files is swept at the next start.
            for placement in placements where placement.bytes != nil { _ = unlink(placement.source) }
            throw error
        }
        for folder in Set(placements.map { Self.parent(of: $0.path) }) { try synchronizeDirectory(folder) }
    }

    /// Moves a file to its place.
    private func place(_ placement: FilePlacement) throws(FileFailure) {
        while rename(placement.source, placement.path) != 0 {
            let failure = FileFailure(operation: "rename")
            guard failure.condition == .missing, try status(placement.source) != nil else { throw failure }
            try makeDirectory(Self.parent(of: placement.path))
        }
    }

    /// Moves a flushed file onto its final path, replacing one already there, and creates the folders above it.
    package func move(_ source: String, to target: String) throws(FileFailure) {
        try place([FilePlacement(target, movedFrom: source)])
    }

    /// Replaces a small file as a whole; `temporary` is a path on the same file system that nobody else uses.
    package func replace(_ path: String, with bytes: [UInt8], temporary: String) throws(FileFailure) {
        try place([FilePlacement(path, bytes: bytes, temporary: temporary)])
    }

    /// Reads a small file, at most `limit` bytes of it; nil when it is missing.
    package func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? {
        do throws(FileFailure) {
            let file = try OpenFile(path, .reading)
            return try file.read(min(limit, try file.status().size), at: 0)
        } catch  where error.condition == .missing || error.number == ENOTDIR {
            return nil
        }
    }

    /// Removes a file; tells whether there was one.
    @discardableResult
    package func remove(_ path: String) throws(FileFailure) -> Bool {
        defer { changeCount.increment() }
        if unlink(path) == 0 {
            try synchronizeDirectory(Self.parent(of: path))
            return true
        }
        let failure = FileFailure(operation: "unlink")
        guard failure.condition == .missing || failure.number == ENOTDIR else { throw failure }
        return false
    }

    /// Removes a folder if it is empty; tells whether it is gone.
    @discardableResult
    package func removeEmptyDirectory(_ path: String) throws(FileFailure) -> Bool {
        if rmdir(path) == 0 { return true }
        let failure = FileFailure(operation: "rmdir")
        switch failure.number {
        case ENOENT: return true
        case ENOTEMPTY, EEXIST, ENOTDIR: return false
        default: throw failure
        }
    }

    /// The names in a folder in byte order; empty when the folder is missing.
    package func names(in path: String) throws(FileFailure) -> [String] {
        guard let directory = opendir(path) else {
            let failure = FileFailure(operation: "opendir")
            guard failure.condition == .missing || failure.number == ENOTDIR else { throw failure }
            return []
        }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw FileFailure(operation: "readdir") }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Sets the time of last change to now; tells whether the file exists.
    ///
    /// The time is exact, unlike the one a write leaves, so that a write right after it shows.
    @discardableResult
    package func touch(_ path: String) throws(FileFailure) -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        if utimensat(AT_FDCWD, path, [now, now], 0) == 0 { return true }
        let failure = FileFailure(operation: "utimensat")
        guard failure.condition == .missing else { throw failure }
        return false
    }

    /// Makes the entries of a folder durable, when durability is asked for; one that is gone has none.
    package func synchronizeDirectory(_ path: String) throws(FileFailure) {
        guard isDurable else { return }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let failure = FileFailure(operation: "open folder")
            guard failure.condition == .missing else { throw failure }
            return
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileFailure(operation: "fsync folder") }
    }

    /// The path without its last component.
    package static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// How often files were placed or removed, for all copies of one tree.
private final class ChangeCount: Sendable {
    let value = Atomic(0)

    func increment() { value.add(1, ordering: .acquiringAndReleasing) }
}

import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// The content of all repositories, each digest once. Blocking.
struct ContentStore: Sendable {
    let layout: StorageLayout
    let files: FileTree

    /// What is stored under a digest; nil when nothing is.
    func status(_ digest: ImageDigest) throws -> FileStatus? {
        try files.status(layout.blob(digest))
    }

    /// Opens content for reading if it has the length it was stored with; nil when it is missing or damaged.
    func open(_ digest: ImageDigest, size: Int) throws -> OpenBlob? {
        let path = layout.blob(digest)
        guard let status = try files.status(path), status.size == size else { return nil }
        let file = try OpenFile(path, .reading)
        return OpenBlob(file, size: size, modified: status.modified)
    }

    /// Reads a small piece of content whole and verifies it; nil when it is missing or damaged.
    func read(_ digest: ImageDigest, size: Int) throws -> [UInt8]? {
        guard let bytes = try files.read(layout.blob(digest), limit: size + 1), bytes.count == size,
            ImageDigest(of: bytes, algorithm: digest.algorithm) == digest
        else { return nil }
        return bytes
    }

    /// What has to be placed to make a complete, verified and flushed file the content of `digest`.
    ///
    /// Content that is there already is replaced: that costs nothing, resets its age, and repairs it if it is damaged.
    func placement(of path: String, as digest: ImageDigest) throws -> FilePlacement {
        // The last chunk may have come long ago; the age that counts begins now.
        try files.touch(path)
        return FilePlacement(layout.blob(digest), movedFrom: path)
    }

    /// What has to be placed to store content held in memory whose digest the caller has verified; nil when it is
    /// there, whose age is reset then.
    func placement(of bytes: [UInt8], as digest: ImageDigest) throws -> FilePlacement? {
        let path = layout.blob(digest)
        if try files.read(path, limit: bytes.count + 1) == bytes, try files.touch(path) { return nil }
        return FilePlacement(path, bytes: bytes, temporary: layout.temporary())
    }
}

/// Content open for reading; it stays readable although the blob is deleted meanwhile.
final class OpenBlob: Sendable {
    let size: Int
    /// When it was stored or somebody relied on it last.
    let modified: Date
    private let file: OpenFile

    init(_ file: consuming OpenFile, size: Int, modified: Date) {
        self.file = file
        self.size = size
        self.modified = modified
    }

    /// Reads exactly `count` bytes from `offset`; throws when the file has become shorter.
    func read(_ count: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let filled = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
        guard filled == count else { throw DamagedContent() }
        return filled
    }

    func adviseSequentialReading() { file.adviseSequentialReading() }
}

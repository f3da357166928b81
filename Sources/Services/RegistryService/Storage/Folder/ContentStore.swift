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
        guard try files.status(path)?.size == size else { return nil }
        let file = try OpenFile(path, .reading)
        return OpenBlob(file, size: size)
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
    /// Nil when the same content is there already: then the new file is dropped and the old one's age reset, so that a
    /// collection in progress spares it. Content of another length is damaged and replaced.
    func placement(of path: String, as digest: ImageDigest, size: Int) throws -> FilePlacement? {
        guard try isPresent(digest, size: size) else {
            // The last chunk may have come long ago; the age that counts begins now.
            try files.touch(path)
            return FilePlacement(layout.blob(digest), movedFrom: path)
        }
        try files.remove(path)
        return nil
    }

    /// What has to be placed to store content held in memory whose digest the caller has verified; nil when it is
    /// there.
    func placement(of bytes: [UInt8], as digest: ImageDigest) throws -> FilePlacement? {
        guard try !isPresent(digest, size: bytes.count) else { return nil }
        return FilePlacement(layout.blob(digest), bytes: bytes, temporary: layout.temporary())
    }

    private func isPresent(_ digest: ImageDigest, size: Int) throws -> Bool {
        let path = layout.blob(digest)
        return try files.status(path)?.size == size && files.touch(path)
    }
}

/// Content open for reading; it stays readable although the blob is deleted meanwhile.
final class OpenBlob: Sendable {
    let size: Int
    private let file: OpenFile

    init(_ file: consuming OpenFile, size: Int) {
        self.file = file
        self.size = size
    }

    /// Reads exactly `count` bytes from `offset`; throws when the file has become shorter.
    func read(_ count: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let filled = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
        guard filled == count else { throw DamagedContent() }
        return filled
    }

    func adviseSequentialReading() { file.adviseSequentialReading() }
}

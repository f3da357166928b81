import Glibc
import NIOCore
import OCIRegistry
import ObjectStorage
import ServiceHTTP

/// The content of all repositories, each digest once. Blocking.
struct ContentStore: Sendable {
    let layout: StorageLayout
    let files: FileTree
    private let documents = RememberedFiles<[UInt8]>(limit: 16384, budget: 16 << 20) { $0.count }
    /// What is remembered is at most so long.
    private static let rememberedSize = 16 << 10

    init(layout: StorageLayout, files: FileTree) {
        self.layout = layout
        self.files = files
    }

    /// What is stored under a digest; nil when nothing is.
    func status(_ digest: ImageDigest) throws -> FileStatus? {
        try files.status(layout.blob(digest))
    }

    /// Opens content for reading if it has the length it was stored with; nil when it is missing or damaged.
    func open(_ digest: ImageDigest, size: Int) throws(FileFailure) -> OpenBlob? {
        do throws(FileFailure) {
            let file = try OpenFile(layout.blob(digest), .reading)
            let status = try file.status()
            guard status.size == size else { return nil }
            return OpenBlob(file, status)
        } catch  where error.condition == .missing || error.number == ENOTDIR {
            return nil
        }
    }

    /// Reads a small piece of content whole and verifies it; nil when it is missing or damaged.
    func read(_ digest: ImageDigest, size: Int) throws -> [UInt8]? {
        let path = layout.blob(digest)
        let bytes = try documents.value(at: path, files, isKept: { $0.count <= Self.rememberedSize }) {
            guard let bytes = try files.read(path, limit: size + 1),
                ImageDigest(of: bytes, algorithm: digest.algorithm) == digest
            else { return nil }
            return bytes
        }
        return bytes?.count == size ? bytes : nil
    }

    /// Remembers a small piece of content that was read from a file and verified.
    func remember(_ bytes: ByteBuffer, _ digest: ImageDigest, _ status: FileStatus) {
        guard bytes.readableBytes <= Self.rememberedSize else { return }
        documents.remember(Array(bytes.readableBytesView), layout.blob(digest), status)
    }

    /// A small piece of content if it need not be read, without blocking.
    func recall(_ digest: ImageDigest, size: Int) throws -> [UInt8]? { try sighting(of: digest, size: size)?.value }

    /// What ``recall(_:size:)`` tells, and when it was seen.
    func sighting(of digest: ImageDigest, size: Int) throws -> (value: [UInt8], look: FolderLook)? {
        guard size <= Self.rememberedSize, let seen = try documents.sighting(of: layout.blob(digest), files),
            seen.value.count == size
        else { return nil }
        return seen
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
    private static let scratch = 128 << 10

    /// What it was when it was opened.
    let status: FileStatus
    private let file: OpenFile

    init(_ file: consuming OpenFile, _ status: FileStatus) {
        self.file = file
        self.status = status
    }

    var size: Int { status.size }

    /// Reads a part into memory; throws when the file has become shorter.
    func buffer(_ range: Range<Int>) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: range.count)
        try read(range, to: &buffer)
        return buffer
    }

    /// Feeds a part to a hash; throws when the file has become shorter.
    func hash(_ range: Range<Int>, into hash: RunningHash) throws {
        var buffer = ByteBufferAllocator().buffer(capacity: min(Self.scratch, range.count))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let end = min(offset + Self.scratch, range.upperBound)
            buffer.clear()
            try read(offset..<end, to: &buffer)
            hash.update(buffer)
            offset = end
        }
    }

    /// Appends a part to a buffer; throws when the file has become shorter.
    func read(_ range: Range<Int>, to buffer: inout ByteBuffer) throws {
        let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: range.count) { bytes in
            try file.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<range.count]), at: range.lowerBound)
        }
        guard count == range.count else { throw DamagedContent() }
    }

    func adviseSequentialReading() { file.adviseSequentialReading() }

    /// All of it if it is in the page cache, without blocking.
    func loadedBuffer() -> ByteBuffer? {
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { bytes in
            max(0, file.readLoaded(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<size])))
        }
        return count == size ? buffer : nil
    }

    /// Whether a part can be sent without waiting for the disk. Does not block.
    func isLoaded(_ range: Range<Int>) -> Bool { file.isLoaded(range) }

    /// Brings a part into the page cache.
    func load(_ range: Range<Int>) { file.load(range) }

    /// A part to be sent; throws when the file has become shorter.
    func file(_ range: Range<Int>) throws -> SentFile {
        guard try file.status().size >= range.upperBound else { throw DamagedContent() }
        return SentFile(descriptor: try file.duplicateDescriptor(), range)
    }
}

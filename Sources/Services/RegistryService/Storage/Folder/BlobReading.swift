import ConcurrencyPrimitives
import Hummingbird
import NIOCore
import OCIRegistry
import ObjectStorage
import Synchronization

/// Hands out content of the disk, and none of it as whole that does not have its digest.
///
/// Content this process has neither stored nor read whole is hashed on the way out; its last piece goes when the digest
/// is right. What is hashed, and what is not in the page cache, is read on the
/// storage's threads, one piece ahead of the network; the kernel sends it from there where the connection allows.
struct BlobReading: BlobContent {
    /// Small, because several pieces of each of many slow clients are in memory at a time.
    private static let piece = 256 << 10
    /// What is hashed before it is sent.
    private static let hashed = 1 << 20
    /// What is sent by one order to the kernel.
    private static let sent = 8 << 20

    let digest: ImageDigest
    let content: OpenBlob
    let storage: FolderStorage

    var size: Int { content.size }

    func read(_ range: Range<Int>) async throws -> ByteBuffer {
        guard range == 0..<size else {
            try await verifyOnce()
            return try await piece(range, nil)
        }
        let hash = RunningHash(digest.algorithm)
        let bytes = try await piece(range, hash)
        guard hash.digest == digest else { throw await damaged() }
        return bytes
    }

    func write(_ range: Range<Int>, to sink: inout BodySink) async throws {
        content.adviseSequentialReading()
        let isVerified = storage.verified[digest] == content.status
        if !isVerified, range != 0..<size { try await verifyOnce() }
        let hash = !isVerified && range == 0..<size ? RunningHash(digest.algorithm) : nil
        switch (sink.files, hash) {
        case (let sender?, let hash?): try await send(hashing: hash, by: sender)
        case (let sender?, nil): try await send(range, by: sender)
        case (nil, _): try await copy(range, hash, to: &sink)
        }
    }

    // MARK: By the kernel

    private func send(_ range: Range<Int>, by sender: FileSender) async throws {
        var next = Self.next(range.lowerBound, range, Self.sent)
        try await load(next)
        while next.upperBound < range.upperBound {
            let following = Self.next(next.upperBound, range, Self.sent)
            async let ahead: Void = load(following)
            try await sender.send(content, next)
            try await ahead
            next = following
        }
        try await sender.send(content, next)
    }

    private func send(hashing hash: RunningHash, by sender: FileSender) async throws {
        var ready = Self.next(0, 0..<size, Self.hashed)
        try await feed(ready, to: hash)
        while ready.upperBound < size {
            let following = Self.next(ready.upperBound, 0..<size, Self.hashed)
            async let ahead: Void = feed(following, to: hash)
            try await sender.send(content, ready)
            try await ahead
            ready = following
        }
        try await accept(hash)
        try await sender.send(content, ready)
    }

    private func load(_ range: Range<Int>) async throws {
        guard !content.isLoaded(range) else { return }
        try await storage.threads.run { [content] in content.load(range) }
    }

    private func feed(_ range: Range<Int>, to hash: RunningHash) async throws {
        try await storage.threads.run { [content] in try content.hash(range, into: hash) }
    }

    // MARK: By memory

    private func copy(_ range: Range<Int>, _ hash: RunningHash?, to sink: inout BodySink) async throws {
        var next = Self.next(range.lowerBound, range, Self.piece)
        var ready = try await piece(next, hash)
        while next.upperBound < range.upperBound {
            let following = Self.next(next.upperBound, range, Self.piece)
            async let ahead = piece(following, hash)
            try await sink.write(ready)
            ready = try await ahead
            next = following
        }
        if let hash { try await accept(hash) }
        try await sink.write(ready)
    }

    private func piece(_ range: Range<Int>, _ hash: RunningHash?) async throws -> ByteBuffer {
        try await storage.threads.run { [content] in
            let buffer = try content.buffer(range)
            hash?.update(buffer)
            return buffer
        }
    }

    private static func next(_ offset: Int, _ range: Range<Int>, _ length: Int) -> Range<Int> {
        offset..<min(offset + length, range.upperBound)
    }

    // MARK: Verifying

    /// Reads everything once before a part is handed out.
    private func verifyOnce() async throws {
        guard storage.verified[digest] != content.status else { return }
        let hash = RunningHash(digest.algorithm)
        var next = Self.next(0, 0..<size, Self.hashed)
        while !next.isEmpty {
            try await feed(next, to: hash)
            next = Self.next(next.upperBound, 0..<size, Self.hashed)
        }
        try await accept(hash)
    }

    /// Remembers that the content is good, or puts it aside.
    private func accept(_ hash: RunningHash) async throws {
        guard hash.digest == digest else { throw await damaged() }
        storage.verified[digest] = content.status
    }

    /// Puts the content aside, so that it counts as unknown and the next push of it repairs it.
    private func damaged() async -> any Error {
        do {
            try await storage.putAside(digest, content.status)
            return DamagedContent()
        } catch {
            return error
        }
    }
}

/// Hands out content that is in memory and was verified.
struct SmallBlob: BlobContent {
    let bytes: ByteBuffer

    var size: Int { bytes.readableBytes }

    func read(_ range: Range<Int>) throws -> ByteBuffer {
        guard let part = bytes.getSlice(at: range.lowerBound, length: range.count) else { throw DamagedContent() }
        return part
    }

    func write(_ range: Range<Int>, to sink: inout BodySink) async throws { try await sink.write(try read(range)) }
}

/// A digest that several threads compute one after another.
final class RunningHash: Sendable {
    private let hasher: Mutex<ContentHasher>

    init(_ algorithm: ImageDigest.Algorithm) { hasher = Mutex(ContentHasher(algorithm)) }

    func update(_ buffer: ByteBuffer) {
        hasher.withLock { hasher in buffer.withUnsafeReadableBytes { hasher.update($0) } }
    }

    func update(_ bytes: [UInt8]) { hasher.withLock { $0.update(bytes) } }

    /// The digest of everything so far.
    var digest: ImageDigest { hasher.withLock { $0.digest() } }
}

extension FolderStorage {
    /// Moves damaged content out of the way, unless it was replaced meanwhile.
    func putAside(_ digest: ImageDigest, _ status: FileStatus) async throws {
        try await digests.withKey(digest) {
            try await threads.run { [layout, files] in
                guard try files.status(layout.blob(digest)) == status else { return }
                try files.move(layout.blob(digest), to: layout.damaged(digest))
            }
        }
    }
}

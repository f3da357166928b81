import ConcurrencyPrimitives
import FoundationEssentials
import Hummingbird
import NIOCore
import OCIRegistry
import ObjectStorage
import Synchronization

/// Reads content from disk in large pieces, one piece ahead of the network, and hands none of it out as whole that does
/// not have its digest.
///
/// Content is hashed the first time it is read since it was stored or since the process began, on the way out; its last
/// piece goes when the digest is right. Small content is hashed each time.
struct BlobReading: BlobContent {
    /// Small, because several pieces of each of many slow clients are in memory at a time.
    private static let piece = 256 << 10

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

    func write(_ range: Range<Int>, to writer: inout any ResponseBodyWriter) async throws {
        content.adviseSequentialReading()
        var hash: RunningHash?
        if !storage.verified.contains(digest, content.modified) {
            if range == 0..<size { hash = RunningHash(digest.algorithm) } else { try await verifyOnce() }
        }
        var offset = range.lowerBound
        var ready = try await piece(next(offset, range), hash)
        while true {
            offset += ready.readableBytes
            guard offset < range.upperBound else { break }
            let following = next(offset, range)
            async let ahead = piece(following, hash)
            try await writer.write(ready)
            ready = try await ahead
        }
        if let hash {
            guard hash.digest == digest else { throw await damaged() }
            storage.verified.insert(digest, content.modified)
        }
        try await writer.write(ready)
    }

    private func next(_ offset: Int, _ range: Range<Int>) -> Range<Int> {
        offset..<min(offset + Self.piece, range.upperBound)
    }

    private func piece(_ range: Range<Int>, _ hash: RunningHash?) async throws -> ByteBuffer {
        try await storage.threads.run { [content] in
            var buffer = ByteBufferAllocator().buffer(capacity: range.count)
            _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: range.count) { bytes in
                try content.read(range.count, at: range.lowerBound, into: bytes)
            }
            hash?.update(buffer)
            return buffer
        }
    }

    /// Reads everything once before a part is handed out.
    private func verifyOnce() async throws {
        guard !storage.verified.contains(digest, content.modified) else { return }
        let hash = RunningHash(digest.algorithm)
        var offset = 0
        while offset < size {
            let range = next(offset, 0..<size)
            _ = try await piece(range, hash)
            offset = range.upperBound
        }
        guard hash.digest == digest else { throw await damaged() }
        storage.verified.insert(digest, content.modified)
    }

    /// Puts the content aside, so that it counts as unknown and the next push of it repairs it.
    private func damaged() async -> any Error {
        do {
            try await storage.putAside(digest, modified: content.modified)
            return DamagedContent()
        } catch {
            return error
        }
    }
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

/// Content that was read whole and found good, by its digest and the time it was stored.
final class VerifiedContent: Sendable {
    private static let limit = 65536

    private let times = Mutex<[ImageDigest: Date]>([:])

    func contains(_ digest: ImageDigest, _ modified: Date) -> Bool { times.withLock { $0[digest] == modified } }

    func insert(_ digest: ImageDigest, _ modified: Date) {
        times.withLock { times in
            if times.count >= Self.limit { times = [:] }
            times[digest] = modified
        }
    }
}

extension FolderStorage {
    /// Moves damaged content out of the way, unless it was replaced meanwhile.
    func putAside(_ digest: ImageDigest, modified: Date) async throws {
        try await digests.withKey(digest) {
            try await threads.run { [layout, files] in
                guard try files.status(layout.blob(digest))?.modified == modified else { return }
                try files.move(layout.blob(digest), to: layout.damaged(digest))
            }
        }
    }
}

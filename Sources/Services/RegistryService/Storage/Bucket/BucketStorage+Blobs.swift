import FoundationEssentials
import Hummingbird
import NIOCore
import OCIRegistry
import ObjectStorage

extension BucketStorage {
    func openBlob(_ digest: ImageDigest, in name: RepositoryName) async throws -> BlobLookup {
        let entries = try await links(digest, in: name)
        for entry in entries {
            if let blob = try await blob(entry) { return .found(VisibleBlob(digest: digest, content: blob)) }
        }
        return entries.isEmpty ? .unknown : .damaged
    }

    func blobSize(_ digest: ImageDigest, in name: RepositoryName) async throws -> Int? {
        for entry in try await links(digest, in: name) {
            if let blob = try await blob(entry) { return blob.size }
        }
        return nil
    }

    /// The content of an entry, unless it is missing or has another length than was committed.
    private func blob(_ entry: ObjectEntry) async throws -> BucketBlob? {
        guard let size = entry.size, try await objects.size(layout.data(entry.object)) == size else { return nil }
        return BucketBlob(
            store: objects.store, key: try ObjectKey(layout.data(entry.object)), size: size, redirects: redirects)
    }

    /// An entry of a blob a push may rely on.
    func usableLink(_ digest: ImageDigest, in name: RepositoryName) async throws -> ObjectEntry? {
        for entry in try await links(digest, in: name) where entry.isUsable(grace: grace) {
            if try await objects.size(layout.data(entry.object)) == entry.size { return entry }
        }
        return nil
    }

    func mount(_ digest: ImageDigest, from source: RepositoryName, to target: RepositoryName) async throws -> Bool {
        guard let entry = try await usableLink(digest, in: source) else { return false }
        try await register(target)
        try await objects.mark(layout.links(digest, in: target) + entry.name)
        return true
    }

    func holder(
        of digest: ImageDigest, where isReadable: @escaping @Sendable (RepositoryName) -> Bool
    ) async throws -> RepositoryName? {
        guard try await !objects.list(layout.content(digest)).isEmpty else { return nil }
        for name in try await catalog() where isReadable(name) {
            if try await usableLink(digest, in: name) != nil { return name }
        }
        return nil
    }

    func removeBlob(_ digest: ImageDigest, from name: RepositoryName) async throws -> Bool {
        let prefix = layout.links(digest, in: name)
        let entries = try await objects.list(prefix)
        if !entries.isEmpty { try await refuseHeld(digest, in: name) }
        for entry in entries { try await objects.remove(prefix + entry.name) }
        return !entries.isEmpty
    }

    /// Makes finished content visible as a blob. Content of the digest that is there already is used instead.
    ///
    /// - Parameter finish: puts the content at its place; not called when other content serves.
    func adopt(
        _ digest: ImageDigest, size: Int, object: String, in name: RepositoryName,
        finish: @Sendable () async throws -> Void
    ) async throws -> Bool {
        try await register(name)
        var entry = "\(object)-\(size)"
        var isNew = true
        for known in ObjectEntry.read(try await objects.list(layout.content(digest)))
        where known.size == size && known.isUsable(grace: grace) {
            guard try await objects.size(layout.data(known.object)) == size else { continue }
            entry = known.name
            isNew = false
            break
        }
        if isNew {
            try await finish()
            guard try await objects.size(layout.data(object)) == size else { throw DamagedContent() }
            try await objects.mark(layout.content(digest) + entry)
        }
        try await objects.mark(layout.links(digest, in: name) + entry)
        return isNew
    }
}

/// Content in a bucket.
struct BucketBlob: BlobContent {
    private static let redirectLifetime = Duration.seconds(900)

    let store: S3ObjectStore
    let key: ObjectKey
    let size: Int
    let redirects: Bool

    var publicURL: String? { redirects ? store.presignedURL(key, lifetime: Self.redirectLifetime) : nil }

    func read(_ range: Range<Int>) async throws -> ByteBuffer {
        guard !range.isEmpty else { return ByteBuffer() }
        var buffer = ByteBufferAllocator().buffer(capacity: range.count)
        for try await chunk in try await store.get(key, range: range).body { buffer.writeBytes(chunk) }
        guard buffer.readableBytes == range.count else { throw DamagedContent() }
        return buffer
    }

    func write(_ range: Range<Int>, to writer: inout any ResponseBodyWriter) async throws {
        var rest = range.count
        for try await chunk in try await store.get(key, range: range).body {
            rest -= chunk.count
            guard rest >= 0 else { throw DamagedContent() }
            try await writer.write(ByteBuffer(bytes: chunk))
        }
        guard rest == 0 else { throw DamagedContent() }
    }
}

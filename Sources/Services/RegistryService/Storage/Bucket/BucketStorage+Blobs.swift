import FoundationEssentials
import Hummingbird
import NIOCore
import OCIRegistry
import ObjectStorage
import ServiceHTTP
import Synchronization

extension BucketStorage {
    func openBlob(_ digest: ImageDigest, in name: RepositoryName, for use: BlobUse) async throws -> BlobLookup {
        let prefix = layout.links(digest, in: name)
        if let entry = try await knownLink(at: prefix, for: use), let blob = try await blob(entry, digest) {
            return .found(VisibleBlob(digest: digest, content: blob))
        }
        let entries = try await links(digest, in: name)
        for entry in entries {
            guard let blob = try await blob(entry, digest) else { continue }
            if use == .finding, try await !keep(entries, at: prefix) { return .unknown }
            knownLinks[prefix] = entry.name
            return .found(VisibleBlob(digest: digest, content: blob))
        }
        knownLinks[prefix] = nil
        return entries.isEmpty ? .unknown : .damaged
    }

    /// Nothing: the service is asked each time.
    func recallBlob(_ digest: ImageDigest, in name: RepositoryName) -> RecalledBlob? { nil }
    func loadedFile(_ digest: ImageDigest, size: Int) -> SentFile? { nil }
    func isUnchanged(since look: FolderLook) -> Bool { false }

    /// The entry of a blob this replica saw last, if it is still there and may be used without a look at its mark.
    ///
    /// Asking for one object costs less than a listing, in time and at most services in money.
    private func knownLink(at prefix: String, for use: BlobUse) async throws -> ObjectEntry? {
        guard let name = knownLinks[prefix], let listed = try await objects.modified(prefix + name) else { return nil }
        let entry = ObjectEntry(name: name, listed: listed, condemned: nil, hasMark: false)
        return use == .reading || isYoung(entry) ? entry : nil
    }

    /// Makes a blob as young as one just pushed; false when it is about to go.
    private func keep(_ entries: [ObjectEntry], at prefix: String) async throws -> Bool {
        guard let entry = entries.first(where: { $0.isUsable(grace: grace) }) else { return false }
        // Written anew an older mark does not count.
        if !isYoung(entry) { try await objects.mark(prefix + entry.name) }
        return true
    }

    /// Whether an entry is too young to be condemned, for long enough that finding it need not make it younger.
    private func isYoung(_ entry: ObjectEntry) -> Bool { -entry.listed.timeIntervalSinceNow <= grace.seconds / 8 }

    func blobSize(_ digest: ImageDigest, in name: RepositoryName) async throws -> Int? {
        for entry in try await links(digest, in: name) {
            if let blob = try await blob(entry, digest) { return blob.size }
        }
        return nil
    }

    /// The content of an entry, unless it is missing or has another length than was committed.
    ///
    /// The service is asked for that once a minute: objects never change, and no object goes before its entries.
    private func blob(_ entry: ObjectEntry, _ digest: ImageDigest) async throws -> BucketBlob? {
        guard let size = entry.size else { return nil }
        if !inspection.wasWhole(entry.object) {
            guard try await isWhole(entry) else { return nil }
            inspection.noteWhole(entry.object)
        }
        return BucketBlob(
            store: objects.store, key: try ObjectKey(layout.data(entry.object)), size: size, redirects: redirects,
            digest: digest, inspection: inspection, object: entry.object)
    }

    /// Whether the content of an entry has its length and is not known to be damaged.
    func isWhole(_ entry: ObjectEntry) async throws -> Bool {
        guard !inspection.isBad(entry.object) else { return false }
        return try await objects.size(layout.data(entry.object)) == entry.size
    }

    /// An entry of a blob a push may rely on.
    func usableLink(_ digest: ImageDigest, in name: RepositoryName) async throws -> ObjectEntry? {
        for entry in try await links(digest, in: name) where entry.isUsable(grace: grace) {
            if try await isWhole(entry) { return entry }
        }
        return nil
    }

    func mount(_ digest: ImageDigest, from source: RepositoryName, to target: RepositoryName) async throws -> Bool {
        guard let entry = try await usableLink(digest, in: source) else { return false }
        try await register(target)
        try await show(entry.content, of: digest, in: target)
        return true
    }

    /// Makes content that is there already visible in a repository.
    ///
    /// An entry that a collection may be about to remove is not written anew: the new one has another name.
    private func show(_ content: String, of digest: ImageDigest, in name: RepositoryName) async throws {
        let known = try await links(digest, in: name).first { $0.content == content && $0.isUsable(grace: grace) }
        let entry = known?.name ?? "\(content)-\(Self.newObject())"
        try await objects.mark(layout.links(digest, in: name) + entry)
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
        for known in ObjectEntry.read(try await objects.list(layout.content(digest)))
        where known.size == size && known.isUsable(grace: grace) {
            guard try await isWhole(known) else { continue }
            try await register(name)
            try await show(known.content, of: digest, in: name)
            return false
        }
        try await finish()
        guard try await objects.size(layout.data(object)) == size else { throw DamagedContent() }
        let entry = "\(object)-\(size)"
        try await objects.mark(layout.content(digest) + entry)
        try await register(name)
        try await objects.mark(layout.links(digest, in: name) + entry)
        return true
    }
}

/// Content in a bucket.
struct BucketBlob: BlobContent {
    private static let redirectLifetime = Duration.seconds(900)

    let store: S3ObjectStore
    let key: ObjectKey
    let size: Int
    let redirects: Bool
    let digest: ImageDigest
    let inspection: ObjectInspection
    let object: String

    var publicURL: String? { redirects ? store.presignedURL(key, lifetime: Self.redirectLifetime) : nil }

    func read(_ range: Range<Int>) async throws -> ByteBuffer {
        guard !range.isEmpty else { return ByteBuffer() }
        var buffer = ByteBufferAllocator().buffer(capacity: range.count)
        for try await chunk in try await chunks(range) { buffer.writeBytes(chunk) }
        guard buffer.readableBytes == range.count else { throw damaged() }
        if range == 0..<size {
            let hash = RunningHash(digest.algorithm)
            hash.update(buffer)
            try check(hash)
        }
        return buffer
    }

    func write(_ range: Range<Int>, to sink: inout BodySink) async throws {
        var rest = range.count
        let hash = range == 0..<size && !inspection.isGood(object) ? RunningHash(digest.algorithm) : nil
        // Goes when the next one is there, and at the end when the digest is right.
        var held: [UInt8] = []
        for try await chunk in try await chunks(range) {
            rest -= chunk.count
            guard rest >= 0 else { throw damaged() }
            hash?.update(chunk)
            if !held.isEmpty { try await sink.write(ByteBuffer(bytes: held)) }
            held = chunk
        }
        guard rest == 0 else { throw damaged() }
        if let hash { try check(hash) }
        try await sink.write(ByteBuffer(bytes: held))
    }

    private func chunks(_ range: Range<Int>) async throws -> ObjectBody {
        do {
            return try await store.get(key, range: range).body
        } catch let error as ObjectStorageError where error.code == .notFound || error.code == .rangeNotSatisfiable {
            throw damaged()
        }
    }

    /// The object is missing or short; the next request asks for its length again.
    private func damaged() -> DamagedContent {
        inspection.forget(object)
        return DamagedContent()
    }

    private func check(_ hash: RunningHash) throws {
        guard hash.digest == digest else {
            inspection.markBad(object)
            throw DamagedContent()
        }
        inspection.markGood(object)
    }
}

/// What this replica found of objects, which never change.
final class ObjectInspection: Sendable {
    private static let limit = 65536
    /// How long an object that had its length counts as having it.
    private static let memory = Duration.seconds(60)

    /// Whether an object that was read whole had its digest.
    private let findings = Mutex<[String: Bool]>([:])
    /// When an object had its length.
    private let lengths = BoundedCache<String, ContinuousClock.Instant>()

    func wasWhole(_ object: String) -> Bool {
        guard !isBad(object), let seen = lengths[object] else { return false }
        return .now - seen < Self.memory
    }

    func noteWhole(_ object: String) { lengths[object] = .now }
    func forget(_ object: String) { lengths[object] = nil }

    func isGood(_ object: String) -> Bool { findings.withLock { $0[object] == true } }
    func isBad(_ object: String) -> Bool { findings.withLock { $0[object] == false } }
    func markGood(_ object: String) { note(object, true) }
    func markBad(_ object: String) { note(object, false) }

    private func note(_ object: String, _ isGood: Bool) {
        findings.withLock { findings in
            if findings.count >= Self.limit { findings = findings.filter { !$0.value } }
            findings[object] = isGood
        }
    }
}

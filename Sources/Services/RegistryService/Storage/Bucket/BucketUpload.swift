import FoundationEssentials
import NIOCore
import OCIRegistry
import ObjectStorage
import Synchronization

/// An upload as it stands in the bucket after the last request that used it.
struct BucketUploadState: Codable, Hashable, Sendable {
    let record: UploadRecord
    /// The object the data becomes.
    let object: String
    /// The parts sent: the service's name for them, their tags, and how many bytes they hold together.
    var parts: String?
    var tags: [String] = []
    var partBytes = 0
    /// What is too short for a part: an object of its own, named by its generation.
    var tail: Int?
    var tailBytes = 0
    /// Counts the requests that added something.
    var generation = 0

    var size: Int { partBytes + tailBytes }
}

/// An upload into a bucket, in the hands of one request.
///
/// Data goes to the service in parts as it arrives, straight to the object it will be. At the end of a request the rest
/// and the state are written, so that any replica can go on; what arrived in a request that was cut off by the end of
/// its replica is not part of the state, and the status tells so.
actor BucketUpload: OpenUpload {
    nonisolated let id: UploadID
    private let storage: BucketStorage
    private var state: BucketUploadState
    private var isSaved: Bool
    private var isDirty = false
    /// Computes the digest on the way; nil when the beginning was taken by another replica.
    private var hasher: ContentHasher?
    private var pending: [UInt8]?
    private var sending: Task<String, any Error>?
    private let received: Mutex<Int>

    init(id: UploadID, state: BucketUploadState, isSaved: Bool, storage: BucketStorage) {
        self.id = id
        self.storage = storage
        self.state = state
        self.isSaved = isSaved
        hasher = state.size == 0 ? ContentHasher(state.record.algorithm) : nil
        pending = state.tail == nil ? [] : nil
        received = Mutex(state.size)
    }

    nonisolated var size: Int { received.withLock { $0 } }

    /// Whether this object knows everything up to a state.
    func matches(_ other: BucketUploadState) -> Bool { state == other && !isDirty }

    func append(_ buffers: [ByteBuffer]) async throws {
        do {
            var bytes = try await loadPending()
            pending = nil
            for buffer in buffers {
                hasher.map { hasher in buffer.withUnsafeReadableBytes { hasher.update($0) } }
                bytes += buffer.readableBytesView
            }
            isDirty = true
            // Grows with the upload, because a service takes ten thousand parts.
            let partSize = S3PartUpload.smallestPart << (state.tags.count / 1000)
            while bytes.count >= partSize {
                try await send(Array(bytes[..<partSize]))
                bytes.removeFirst(partSize)
            }
            pending = bytes
            let added = buffers.reduce(0) { $0 + $1.readableBytes }
            received.withLock { $0 += added }
        } catch {
            throw UploadDamaged(cause: error)
        }
    }

    private func loadPending() async throws -> [UInt8] {
        if let pending { return pending }
        guard let tail = state.tail else { return [] }
        let bytes = try await storage.objects.read(storage.layout.uploadTail(id, tail)) ?? []
        guard bytes.count == state.tailBytes else { throw DamagedContent() }
        return bytes
    }

    /// Sends a part while the next one arrives.
    private func send(_ part: [UInt8]) async throws {
        try await finishSending()
        let key = try ObjectKey(storage.layout.data(state.object))
        let upload: S3PartUpload
        if let parts = state.parts {
            upload = storage.objects.store.parts(key, id: parts, tags: state.tags)
        } else {
            upload = try await storage.objects.store.beginParts(key)
            state.parts = upload.id
        }
        state.partBytes += part.count
        let number = state.tags.count + 1
        // Awaited by the next part or by the end of the request.
        sending = Task { try await upload.send(part, number: number) }
    }

    private func finishSending() async throws {
        guard let sending else { return }
        self.sending = nil
        state.tags.append(try await sending.value)
    }

    func giveBack(isWhole: Bool) async throws {
        guard isWhole else {
            sending?.cancel()
            return await storage.uploads.release(id, nil)
        }
        do {
            // A task of its own, awaited here, because the request may be cancelled while its data is to be kept.
            try await Task { try await self.save() }.value
        } catch {
            await storage.uploads.release(id, nil)
            throw error
        }
        await storage.uploads.release(id, self)
    }

    private func save() async throws {
        guard isDirty || !isSaved else { return }
        try await finishSending()
        let bytes = try await loadPending()
        let old = state.tail
        state.generation += 1
        state.tail = bytes.isEmpty ? nil : state.generation
        state.tailBytes = bytes.count
        if !bytes.isEmpty { try await storage.objects.write(storage.layout.uploadTail(id, state.generation), bytes) }
        try await storage.objects.write(storage.layout.uploadState(id), try RecordCoding.encode(state))
        if let old { try await storage.objects.remove(storage.layout.uploadTail(id, old)) }
        // Not kept between requests, so that idle uploads cost no memory.
        pending = bytes.isEmpty ? [] : nil
        isDirty = false
        isSaved = true
    }

    func commit(as digest: ImageDigest) async throws {
        try await finishSending()
        let isVerified = hasher?.algorithm == digest.algorithm
        if isVerified, hasher?.digest() != digest { throw RegistryError.wrongContent(digest) }
        let isNew = try await storage.adopt(
            digest, size: size, object: state.object, in: state.record.repository
        ) {
            try await self.finish()
            if !isVerified { try await self.verify(digest) }
        }
        if !isNew { await abortParts() }
        await remove()
    }

    /// Puts the data at its place.
    private func finish() async throws {
        let rest = try await loadPending()
        let key = try ObjectKey(storage.layout.data(state.object))
        guard let parts = state.parts else {
            try await storage.objects.store.put(key, bytes: rest)
            return
        }
        if !rest.isEmpty {
            try await send(rest)
            pending = []
            try await finishSending()
        }
        try await storage.objects.store.parts(key, id: parts, tags: state.tags).complete()
        state.parts = nil
    }

    /// Reads the data back, because no replica has seen all of it.
    private func verify(_ digest: ImageDigest) async throws {
        let key = try ObjectKey(storage.layout.data(state.object))
        let hasher = ContentHasher(digest.algorithm)
        for try await chunk in try await storage.objects.store.get(key, range: nil).body { hasher.update(chunk) }
        guard hasher.digest() == digest else {
            try await storage.objects.store.delete(key)
            await remove()
            throw RegistryError.wrongContent(digest)
        }
    }

    func cancel() async throws {
        // The part under way, if any, is dropped with the others.
        _ = try? await sending?.value
        await abortParts()
        await remove()
    }

    private func abortParts() async {
        // A name that is no key never had parts.
        guard let parts = state.parts, let key = try? ObjectKey(storage.layout.data(state.object)) else { return }
        await storage.objects.store.parts(key, id: parts, tags: []).abort()
        state.parts = nil
    }

    /// Removes what is kept about the upload; what cannot be removed now expires.
    private func remove() async {
        if isSaved {
            try? await storage.objects.remove(storage.layout.uploadState(id))
            if let tail = state.tail { try? await storage.objects.remove(storage.layout.uploadTail(id, tail)) }
        }
        await storage.uploads.release(id, nil)
    }
}

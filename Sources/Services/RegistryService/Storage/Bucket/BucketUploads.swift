import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// The uploads this replica knows, each used by one request at a time.
///
/// The truth is in the bucket and read at each request. What is kept here saves reading the data again for its digest.
actor BucketUploads {
    private static let idleLimit = 1024

    private let objects: BucketObjects
    private let layout = BucketLayout()
    private var busy: Set<UploadID> = []
    private var idle: [UploadID: BucketUpload] = [:]

    init(objects: BucketObjects) { self.objects = objects }

    func begin(_ record: UploadRecord, storage: BucketStorage) -> BucketUpload {
        let id = UploadID()
        busy.insert(id)
        let state = BucketUploadState(record: record, object: BucketStorage.newObject())
        return BucketUpload(id: id, state: state, isSaved: false, storage: storage)
    }

    func take(_ id: UploadID, in repository: RepositoryName, storage: BucketStorage) async throws -> BucketUpload {
        guard busy.insert(id).inserted else { throw RegistryError.uploadInUse }
        do {
            guard let bytes = try await objects.read(layout.uploadState(id)),
                let state = RecordCoding.decode(BucketUploadState.self, bytes), state.record.repository == repository
            else { throw RegistryError.unknownUpload(id) }
            if let known = idle.removeValue(forKey: id), await known.matches(state) { return known }
            return BucketUpload(id: id, state: state, isSaved: true, storage: storage)
        } catch {
            busy.remove(id)
            throw error
        }
    }

    /// Takes an upload back; nil when its object is of no further use.
    func release(_ id: UploadID, _ upload: BucketUpload?) {
        busy.remove(id)
        idle[id] = upload
        if idle.count > Self.idleLimit, let any = idle.keys.first { idle[any] = nil }
    }

    /// Removes uploads nobody has continued since `limit`, and what is left of those that never came to a state.
    func expire(before limit: Date, storage: BucketStorage) async throws -> UploadCount {
        var count = UploadCount()
        let entries = try await objects.list(layout.uploads)
        var kept: [UploadID] = []
        for entry in entries where entry.name.hasSuffix("/state") {
            guard let id = UploadID(String(entry.name.dropLast("/state".count))) else { continue }
            guard entry.modified < limit, !busy.contains(id), let state = try await state(of: id) else {
                kept.append(id)
                continue
            }
            try await BucketUpload(id: id, state: state, isSaved: true, storage: storage).cancel()
            count.removed += 1
        }
        count.open = kept.count
        let known = Set(entries.map(\.name).filter { $0.hasSuffix("/state") }.map { $0.dropLast("/state".count) })
        for entry in entries where entry.modified < limit {
            guard let id = entry.name.split(separator: "/").first, !known.contains(id) else { continue }
            try await objects.remove(layout.uploads + entry.name)
        }
        try await abortParts(before: limit, keeping: kept)
        return count
    }

    /// Drops parts that were sent before `limit` and belong to none of the uploads that go on.
    private func abortParts(before limit: Date, keeping kept: [UploadID]) async throws {
        // A service that does not tell which there are removes them by a life cycle rule of the bucket.
        let found = try? await objects.store.openParts(prefix: "data/").filter { $0.begun < limit }
        guard let stale = found, !stale.isEmpty else { return }
        var named: Set<String> = []
        for id in kept {
            if let parts = try await state(of: id)?.parts { named.insert(parts) }
        }
        for open in stale where !named.contains(open.upload.id) { await open.upload.abort() }
    }

    private func state(of id: UploadID) async throws -> BucketUploadState? {
        try await objects.read(layout.uploadState(id)).flatMap { RecordCoding.decode(BucketUploadState.self, $0) }
    }
}

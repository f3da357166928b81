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

    /// Removes uploads nobody has continued since `limit`.
    func expire(before limit: Date, storage: BucketStorage) async throws -> UploadCount {
        var count = UploadCount()
        for entry in try await objects.list(layout.uploads) where entry.name.hasSuffix("/state") {
            guard let id = UploadID(String(entry.name.dropLast("/state".count))), !busy.contains(id),
                entry.modified < limit, let bytes = try await objects.read(layout.uploadState(id)),
                let state = RecordCoding.decode(BucketUploadState.self, bytes)
            else {
                count.open += 1
                continue
            }
            try await BucketUpload(id: id, state: state, isSaved: true, storage: storage).cancel()
            count.removed += 1
        }
        return count
    }
}

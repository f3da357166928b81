import ConcurrencyPrimitives
import FoundationEssentials
import NIOCore
import OCIRegistry
import ObjectStorage

/// An upload in a folder, in the hands of one request.
struct FolderUpload: OpenUpload {
    let session: UploadSession
    let storage: FolderStorage

    var id: UploadID { session.id }
    var size: Int { session.size }

    func append(_ buffers: [ByteBuffer]) async throws {
        try await storage.threads.run { [session] in try session.append(buffers) }
    }

    func commit(as digest: ImageDigest) async throws { try await storage.commit(session, as: digest) }

    func giveBack(isWhole: Bool) async { await storage.uploads.give(id, isWhole ? session : nil) }

    func cancel() async throws { try await storage.uploads.end(id) }
}

extension FolderStorage: RegistryStorage {
    func beginUpload(_ record: UploadRecord) async throws -> any OpenUpload {
        FolderUpload(session: try await uploads.begin(record), storage: self)
    }

    func takeUpload(_ id: UploadID, in repository: RepositoryName) async throws -> any OpenUpload {
        FolderUpload(session: try await uploads.take(id, in: repository), storage: self)
    }

    func expireUploads(before limit: Date) async throws -> UploadCount {
        let (live, expired) = try await threads.run { [layout, files] in
            var live = 0
            var expired: [UploadID] = []
            for name in try files.names(in: layout.uploads) {
                guard let id = UploadID(name) else { continue }
                let status = try files.status(layout.uploadData(id)) ?? files.status(layout.upload(id))
                if let status, status.modified < limit { expired.append(id) } else { live += 1 }
            }
            return (live, expired)
        }
        var count = UploadCount(open: live)
        for id in expired where await !uploads.isBusy(id) {
            try await uploads.end(id)
            count.removed += 1
        }
        return count
    }
}

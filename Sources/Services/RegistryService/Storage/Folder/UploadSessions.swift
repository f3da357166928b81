import OCIRegistry
import ObjectStorage

/// The uploads in progress, each used by one request at a time.
///
/// Sessions live on disk; the open ones are kept here so that hashing continues where it stopped. After a restart, or
/// when a session was dropped to bound memory, it is opened again from its file.
actor UploadSessions {
    /// How many idle sessions stay open.
    private static let idleLimit = 256

    private enum Slot {
        /// A request uses the upload.
        case busy
        /// Nobody uses it now.
        case idle(UploadSession)
    }

    private let layout: StorageLayout
    private let files: FileTree
    private let threads: StorageThreads
    private var slots: [UploadID: Slot] = [:]

    init(layout: StorageLayout, files: FileTree, threads: StorageThreads) {
        self.layout = layout
        self.files = files
        self.threads = threads
    }

    /// Begins an upload and hands it out.
    func begin(_ record: UploadRecord) async throws -> UploadSession {
        let id = UploadID()
        slots[id] = .busy
        do {
            return try await threads.run { [layout, files] in
                try files.makeDirectory(layout.upload(id))
                let session = try UploadSession(id: id, record: record, layout: layout)
                try files.replace(
                    layout.uploadSession(id), with: try RecordCoding.encode(record),
                    temporary: layout.uploadSession(id) + ".new")
                return session
            }
        } catch {
            slots[id] = nil
            throw error
        }
    }

    /// Hands an upload out to the one request that may use it until ``give(_:)``.
    ///
    /// - Throws: `BLOB_UPLOAD_UNKNOWN` when there is no such upload in this repository, and a refusal when another
    ///   request is using it.
    func take(_ id: UploadID, in repository: RepositoryName) async throws -> UploadSession {
        switch slots[id] {
        case .busy:
            throw RegistryError.uploadInUse
        case .idle(let session):
            guard session.record.repository == repository else { throw RegistryError.unknownUpload(id) }
            slots[id] = .busy
            return session
        case nil:
            slots[id] = .busy
            do {
                return try await reopen(id, in: repository)
            } catch {
                slots[id] = nil
                throw error
            }
        }
    }

    /// Takes an upload back; nil when its object is of no further use and its file tells all.
    func give(_ id: UploadID, _ session: UploadSession?) {
        slots[id] = session.map { .idle($0) }
        guard slots.count > Self.idleLimit else { return }
        for (key, slot) in slots {
            if case .idle = slot {
                slots[key] = nil
                return
            }
        }
    }

    /// Whether a request uses the upload at this moment.
    func isBusy(_ id: UploadID) -> Bool {
        if case .busy = slots[id] { true } else { false }
    }

    /// Forgets an upload that has ended and removes what is left of it.
    func end(_ id: UploadID) async throws {
        defer { slots[id] = nil }
        try await threads.run { [layout, files] in
            // All of them, because a crash may have left one that was being written.
            for name in try files.names(in: layout.upload(id)) { try files.remove("\(layout.upload(id))/\(name)") }
            try files.removeEmptyDirectory(layout.upload(id))
        }
    }

    private func reopen(_ id: UploadID, in repository: RepositoryName) async throws -> UploadSession {
        try await threads.run { [layout, files] in
            guard let bytes = try files.read(layout.uploadSession(id), limit: 1 << 16),
                let record = RecordCoding.decode(UploadRecord.self, bytes), record.repository == repository
            else { throw RegistryError.unknownUpload(id) }
            return try UploadSession(id: id, record: record, layout: layout)
        }
    }
}

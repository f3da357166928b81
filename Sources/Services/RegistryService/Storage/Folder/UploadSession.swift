import FoundationEssentials
import NIOCore
import OCIRegistry
import ObjectStorage
import Synchronization

/// What is kept on disk about an upload beside its data.
struct UploadRecord: Codable, Hashable, Sendable {
    /// The repository the upload was begun in; it can be continued only there.
    let repository: RepositoryName
    /// The algorithm computed while the data arrives.
    let algorithm: ImageDigest.Algorithm
}

/// One upload whose file is open: appends, hashing on the way, and ends by becoming a blob. Blocking.
///
/// The session's owner sees to it that one request at a time uses it.
final class UploadSession: Sendable {
    private struct State: ~Copyable {
        let file: OpenFile
        let hasher: ContentHasher
        var size: Int
    }

    let id: UploadID
    let record: UploadRecord
    private let path: String
    private let state: Mutex<State>

    /// Opens the data of an upload and hashes what is there, so that an upload survives a restart of the registry.
    init(id: UploadID, record: UploadRecord, layout: StorageLayout) throws {
        self.id = id
        self.record = record
        path = layout.uploadData(id)
        let hasher = ContentHasher(record.algorithm)
        let file = try OpenFile(path, .appending)
        let size = try file.status().size
        if size > 0 { try Self.hash(path, into: hasher) }
        state = Mutex(State(file: file, hasher: hasher, size: size))
    }

    /// How many bytes have arrived.
    var size: Int { state.withLock { $0.size } }

    /// Appends to the data. After a failure the upload is as long as before, and may be continued.
    func append(_ buffers: [ByteBuffer]) throws {
        try state.withLock { state in
            let before = state.size
            do {
                for buffer in buffers { try Self.write(buffer, to: &state) }
            } catch {
                try state.file.truncate(to: before)
                // The hash has seen bytes that are no longer there; a session that failed is reopened from its file.
                throw UploadDamaged(cause: error)
            }
        }
    }

    /// The digest of all the data in the algorithm of `expected`.
    func digest(like expected: ImageDigest) throws -> ImageDigest {
        try state.withLock { state in
            if state.hasher.algorithm == expected.algorithm { return state.hasher.digest() }
            let hasher = ContentHasher(expected.algorithm)
            try Self.hash(path, into: hasher)
            return hasher.digest()
        }
    }

    /// Makes the data durable.
    func synchronize() throws {
        try state.withLock { try $0.file.synchronize() }
    }

    private static func write(_ buffer: ByteBuffer, to state: inout State) throws {
        var failure: FileFailure?
        buffer.withUnsafeReadableBytes { bytes in
            do throws(FileFailure) {
                try state.file.write(bytes)
                state.hasher.update(bytes)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        state.size += buffer.readableBytes
    }

    /// Feeds a whole file to a hash.
    static func hash(_ path: String, into hasher: ContentHasher) throws {
        let file = try OpenFile(path, .reading)
        file.adviseSequentialReading()
        var offset = 0
        while true {
            let bytes = try file.read(1 << 20, at: offset)
            guard !bytes.isEmpty else { return }
            hasher.update(bytes)
            offset += bytes.count
        }
    }
}

/// An append failed; the data on disk is as before it, the session object is of no further use.
struct UploadDamaged: Error {
    let cause: any Error
}

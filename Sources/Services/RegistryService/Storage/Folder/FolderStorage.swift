import ConcurrencyPrimitives
import FoundationEssentials
import OCIRegistry
import ObjectStorage
import OpenSSLCrypto
import ServiceRuntime

/// The registry's storage on a local disk.
///
/// Content is hashed while it is written, flushed, and renamed to its final place; a crash at any point leaves the old
/// or the new state. Requests for different repositories and digests do not wait for each other: changes of one
/// repository's metadata run one after another, and so do the commit and the collection of one digest.
struct FolderStorage: Sendable {
    let layout: StorageLayout
    let files: FileTree
    let threads: StorageThreads
    let content: ContentStore
    let metadata: RepositoryFiles
    let uploads: UploadSessions
    /// Orders changes of one repository.
    let repositories = KeyedQueue<RepositoryName>()
    /// Orders the commit, the linking and the removal of one digest.
    let digests = KeyedQueue<ImageDigest>()
    /// Remembers what was linked while a collection runs.
    let journal = LinkJournal()
    /// The files of content when it was stored, or read whole and found good.
    let verified = BoundedCache<ImageDigest, FileStatus>()
    /// How long something that nothing needs stays.
    let grace: Duration
    private let lock: ProcessLock

    /// Opens a storage folder, creating it, and removes small files an earlier process left unfinished.
    init(root: String, isDurable: Bool, grace: Duration = .seconds(3600), threadCount: Int = 16) async throws {
        let layout = StorageLayout(root: root)
        let files = FileTree(isDurable: isDurable)
        let threads = StorageThreads(count: threadCount)
        self.layout = layout
        self.files = files
        self.threads = threads
        self.grace = grace
        content = ContentStore(layout: layout, files: files)
        metadata = RepositoryFiles(layout: layout, files: files)
        // An upload that is not confirmed yet may be lost with the power; its data is flushed when it becomes a blob.
        uploads = UploadSessions(layout: layout, files: FileTree(isDurable: false), threads: threads)
        lock = try await threads.run {
            for folder in [root, layout.blobs, layout.repositories, layout.uploads, layout.incoming] {
                try files.makeDirectory(folder)
            }
            // Made ahead and flushed together, so that no push waits for a new folder to be flushed.
            for byte in 0...UInt8.max {
                try FileTree(isDurable: false).makeDirectory("\(layout.blobs)/sha256/\(Hex.encode([byte]))")
            }
            try files.synchronizeDirectory("\(layout.blobs)/sha256")
            try files.synchronizeDirectory(layout.blobs)
            let lock = try Self.takeLock(root: root, layout: layout)
            // A socket a killed process left.
            try files.remove(layout.control)
            for name in try files.names(in: layout.incoming) { try files.remove("\(layout.incoming)/\(name)") }
            return lock
        }
    }

    private static func takeLock(root: String, layout: StorageLayout) throws -> ProcessLock {
        do throws(ProcessLock.Refusal) {
            return try ProcessLock(path: layout.lock)
        } catch {
            if case .held = error { throw StorageInUse(root: root) }
            throw error
        }
    }

    /// Whether the storage can be read and written; for readiness.
    func check() async throws {
        try await threads.run { [layout, files] in
            let probe = "\(layout.incoming)/\(SecureRandom.hex(16))"
            try FileTree(isDurable: false).replace(probe, with: [1], temporary: probe + ".new")
            try files.remove(probe)
        }
    }
}

/// Another process serves the same storage folder.
struct StorageInUse: Error, CustomStringConvertible {
    let root: String
    var description: String { "the storage folder \(root) cannot be locked; another registry is using it" }
}

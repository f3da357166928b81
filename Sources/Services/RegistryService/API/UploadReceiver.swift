import Hummingbird
import NIOCore

/// Takes a request's body into an upload: while one batch is hashed and written on a storage thread, the next arrives.
struct UploadReceiver: Sendable {
    private static let batch = 1 << 20

    let session: UploadSession
    let threads: StorageThreads
    /// How many bytes this request may add.
    let limit: Int

    /// Appends the body and tells its length.
    ///
    /// When the client goes away, what has arrived is kept. Past the limit nothing more is read.
    func receive(_ body: RequestBody) async throws -> Int {
        var total = 0
        var pending: [ByteBuffer] = []
        var pendingCount = 0
        let writes = WriteBehind(session: session, threads: threads)
        do {
            for try await buffer in body {
                total += buffer.readableBytes
                guard total <= limit else {
                    throw RegistryError(.uploadTooLarge, "The upload is longer than this registry accepts.")
                }
                pending.append(buffer)
                pendingCount += buffer.readableBytes
                if pendingCount >= Self.batch {
                    try await writes.add(pending)
                    pending = []
                    pendingCount = 0
                }
            }
        } catch {
            try await writes.finish(pending)
            throw error
        }
        try await writes.finish(pending)
        return total
    }
}

/// Writes batches in order, at most one at a time, without keeping the sender of the next one waiting.
private final class WriteBehind {
    private let session: UploadSession
    private let threads: StorageThreads
    private var running: Task<Void, any Error>?

    init(session: UploadSession, threads: StorageThreads) {
        self.session = session
        self.threads = threads
    }

    func add(_ buffers: [ByteBuffer]) async throws {
        try await running?.value
        // Awaited by the next call of this method or by `finish`; an append on a storage thread always ends.
        running = Task { [session, threads] in
            try await threads.run { try session.append(buffers) }
        }
    }

    func finish(_ buffers: [ByteBuffer]) async throws {
        try await running?.value
        running = nil
        guard !buffers.isEmpty else { return }
        try await threads.run { [session] in try session.append(buffers) }
    }
}

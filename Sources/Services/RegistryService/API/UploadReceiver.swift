import Hummingbird
import NIOCore

/// Takes a request's body into an upload: while one batch is hashed and written, the next arrives.
struct UploadReceiver: Sendable {
    private static let batch = 1 << 20

    let upload: any OpenUpload
    /// How many bytes this request may add.
    let limit: Int
    /// What is answered past the limit.
    let refusal: RegistryError

    /// Appends the body and tells its length.
    ///
    /// When the client goes away, what has arrived is kept. Past the limit nothing more is read.
    func receive(_ body: RequestBody) async throws -> Int {
        var total = 0
        var pending: [ByteBuffer] = []
        var pendingCount = 0
        let writes = WriteBehind(upload: upload)
        do {
            for try await buffer in body {
                total += buffer.readableBytes
                guard total <= limit else {
                    throw refusal
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
    private let upload: any OpenUpload
    private var running: Task<Void, any Error>?

    init(upload: any OpenUpload) {
        self.upload = upload
    }

    func add(_ buffers: [ByteBuffer]) async throws {
        try await running?.value
        // Awaited by the next call of this method or by `finish`; an append always ends.
        running = Task { [upload] in try await upload.append(buffers) }
    }

    func finish(_ buffers: [ByteBuffer]) async throws {
        try await running?.value
        running = nil
        guard !buffers.isEmpty else { return }
        try await upload.append(buffers)
    }
}

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
        var batches = Batches(body: body.makeAsyncIterator(), limit: limit, refusal: refusal)
        var ready = await batches.next(Self.batch)
        while !ready.isEmpty {
            let arrived = ready
            async let written: Void = upload.append(arrived)
            ready = await batches.next(Self.batch)
            try await written
        }
        if let problem = batches.problem { throw problem }
        return batches.total
    }
}

/// The batches of a body.
private struct Batches {
    var body: RequestBody.AsyncIterator
    let limit: Int
    let refusal: RegistryError
    private(set) var total = 0
    /// Why no more comes, unless the body has ended.
    private(set) var problem: (any Error)?
    private var hasEnded = false

    init(body: RequestBody.AsyncIterator, limit: Int, refusal: RegistryError) {
        self.body = body
        self.limit = limit
        self.refusal = refusal
    }

    /// What arrives next, about as much as `size`; empty when no more comes.
    mutating func next(_ size: Int) async -> [ByteBuffer] {
        var batch: [ByteBuffer] = []
        var count = 0
        do {
            while count < size, !hasEnded {
                guard let buffer = try await body.next() else {
                    hasEnded = true
                    break
                }
                total += buffer.readableBytes
                guard total <= limit else { throw refusal }
                batch.append(buffer)
                count += buffer.readableBytes
            }
        } catch {
            problem = error
            hasEnded = true
        }
        return batch
    }
}

import ForwardProtocol
import FoundationEssentials
import HTTPTypes
package import Hummingbird
import Metrics
import NIOCore
import PlatformModel
import ServiceHTTP

/// `POST /ingest`: one JSON object a line, stored together. The answer comes when they are stored.
///
/// Lines that cannot be used are counted and do not harm the others. A request with an `Idempotency-Key` that was seen
/// before stores nothing and is answered as if it had.
package struct IngestRoutes: Sendable {
    private static let bodyLimit = 16 << 20

    private let store: LogStore
    private let rejectedLines = Counter(label: "logger.ingest.rejected", dimensions: [("reason", "malformed")])

    package init(store: LogStore) {
        self.store = store
    }

    private struct Reply: Encodable {
        let accepted: Int
        let rejected: Int
    }

    package func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        router.post("/ingest") { request, context in
            try await ingest(request)
        }
    }

    private func ingest(_ request: Request) async throws -> Response {
        let key = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
        var batch = IngestBatch(chunk: key.map { "ingest/\($0)" })
        let body = try await collect(request)
        let now = ForwardTime.now
        var rejected = 0
        var firstProblem: String?
        for line in body.readableBytesView.split(separator: UInt8(ascii: "\n")) where !line.allSatisfy(Self.isSpace) {
            do {
                try JSONCoding.decoder.decode(IngestRecord.self, from: Data(line)).add(to: &batch, now: now)
            } catch {
                rejected += 1
                firstProblem = firstProblem ?? (error as? InvalidValue)?.message
            }
        }
        rejectedLines.increment(by: rejected)
        guard batch.lineCount > 0 || rejected == 0 else {
            throw APIError(.badRequest, message: firstProblem ?? "The body is not one JSON object a line.")
        }
        _ = try await store.ingest(batch)
        let reply = try JSONCoding.encoder.encode(Reply(accepted: batch.lineCount, rejected: rejected))
        return Response(
            status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: reply)))
    }

    private func collect(_ request: Request) async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: Self.bodyLimit)
        } catch is NIOTooManyBytesError {
            throw APIError(.bodyTooLarge, message: "A request holds 16 MiB at most; send several.")
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0D || byte == 0x09 }
}

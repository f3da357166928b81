import HTTPTypes

/// Stores one body of unknown length: by a single request when it is short, in parts when it is long.
struct S3Upload: Sendable {
    /// S3 takes parts from 5 MiB, at most 10,000 of them; the size grows so that a body may be terabytes long.
    private static let firstPartSize = 8 << 20

    let connection: S3Connection
    let key: String

    /// Stores what the body yields and tells its length.
    func store<Body: AsyncSequence & Sendable>(_ body: Body) async throws -> Int where Body.Element == [UInt8] {
        var pending: [UInt8] = []
        var parts: S3PartUpload?
        var total = 0
        do {
            for try await chunk in body {
                pending += chunk
                total += chunk.count
                while pending.count >= Self.partSize(after: parts?.tags.count ?? 0) {
                    var upload = if let parts { parts } else { try await S3PartUpload.begin(key, connection) }
                    parts = upload
                    let size = Self.partSize(after: upload.tags.count)
                    upload.tags.append(try await upload.send(Array(pending[..<size]), number: upload.tags.count + 1))
                    parts = upload
                    pending.removeFirst(size)
                }
            }
            try Task.checkCancellation()
            guard var upload = parts else {
                try await connection.expectSuccess(S3Connection.Call(method: .put, key: key, body: pending))
                return total
            }
            if !pending.isEmpty {
                upload.tags.append(try await upload.send(pending, number: upload.tags.count + 1))
            }
            try await upload.complete()
            return total
        } catch {
            if let parts { await parts.abort() }
            throw error
        }
    }

    private static func partSize(after count: Int) -> Int { firstPartSize << (count / 1000) }
}

import CurlTransfer
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
        var parts: PartUpload?
        var total = 0
        do {
            for try await chunk in body {
                pending += chunk
                total += chunk.count
                while pending.count >= Self.partSize(after: parts?.tags.count ?? 0) {
                    var upload = if let parts { parts } else { PartUpload(id: try await begin()) }
                    parts = upload
                    let size = Self.partSize(after: upload.tags.count)
                    upload.tags.append(try await sendPart(Array(pending[..<size]), upload))
                    parts = upload
                    pending.removeFirst(size)
                }
            }
            try Task.checkCancellation()
            guard var upload = parts else {
                try await expectSuccess(S3Connection.Call(method: .put, key: key, body: pending))
                return total
            }
            if !pending.isEmpty { upload.tags.append(try await sendPart(pending, upload)) }
            try await complete(upload)
            return total
        } catch {
            if let parts { await abort(parts) }
            throw error
        }
    }

    private struct PartUpload: Sendable {
        let id: String
        /// The entity tag of each part sent.
        var tags: [String] = []
    }

    private static func partSize(after count: Int) -> Int { firstPartSize << (count / 1000) }

    private func begin() async throws -> String {
        let call = S3Connection.Call(method: .post, key: key, query: [("uploads", "")])
        guard let id = S3Reply(try await expectSuccess(call).body).value("UploadId") else {
            throw ObjectStorageError(.failed, "the service began an upload without an id")
        }
        return id
    }

    private func sendPart(_ bytes: [UInt8], _ upload: PartUpload) async throws -> String {
        let query = [("partNumber", "\(upload.tags.count + 1)"), ("uploadId", upload.id)]
        let call = S3Connection.Call(
            method: .put, key: key, query: query.map { (name: $0.0, value: $0.1) }, body: bytes)
        guard let tag = try await expectSuccess(call).headers[.eTag] else {
            throw ObjectStorageError(.failed, "the service took a part without an entity tag")
        }
        return tag
    }

    private func complete(_ upload: PartUpload) async throws {
        let parts = upload.tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(S3Reply.escape(tag))</ETag></Part>"
        }
        let document = "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        let call = S3Connection.Call(
            method: .post, key: key, query: [("uploadId", upload.id)], body: Array(document.utf8))
        let response = try await expectSuccess(call)
        // The service may notice a problem after it has sent the status.
        if let code = S3Reply(response.body).value("Code") {
            throw ObjectStorageError(.failed, "completing an upload: \(code)")
        }
    }

    /// Removes the parts of an upload that failed.
    private func abort(_ upload: PartUpload) async {
        let call = S3Connection.Call(method: .delete, key: key, query: [("uploadId", upload.id)])
        // A task of its own, awaited here, because ours may be cancelled. The failure that brought us here is the one
        // to report; a bucket's life cycle rule removes what stays.
        await Task { _ = try? await connection.send(call) }.value
    }

    @discardableResult
    private func expectSuccess(_ call: S3Connection.Call) async throws -> TransferResponse {
        let response = try await connection.send(call)
        guard response.isSuccess else { throw connection.error(response.status, response.body, call) }
        return response
    }
}

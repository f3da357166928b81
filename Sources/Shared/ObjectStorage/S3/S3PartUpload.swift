import CurlTransfer
package import FoundationEssentials
import HTTPTypes

/// An object that is sent in parts and appears when they are put together.
///
/// A value: it can be kept elsewhere by its key, ``id`` and ``tags``, and be continued by another process. Parts that
/// are not named by ``tags`` do not become part of the object.
package struct S3PartUpload: Sendable {
    /// S3 takes parts from 5 MiB on, except for the last, and at most 10,000 of them.
    package static let smallestPart = 5 << 20

    /// The service's name for the upload.
    package let id: String
    /// The entity tag of each part, in order.
    package var tags: [String]
    private let key: String
    private let connection: S3Connection

    init(id: String, tags: [String], key: String, connection: S3Connection) {
        self.id = id
        self.tags = tags
        self.key = key
        self.connection = connection
    }

    static func begin(_ key: String, _ connection: S3Connection) async throws -> S3PartUpload {
        let call = S3Connection.Call(method: .post, key: key, query: [("uploads", "")])
        guard let id = S3Reply(try await connection.expectSuccess(call).body).value("UploadId") else {
            throw ObjectStorageError(.failed, "the service began an upload without an id")
        }
        return S3PartUpload(id: id, tags: [], key: key, connection: connection)
    }

    /// Sends a part, counted from 1, replacing one of the same number, and tells its entity tag.
    package func send(_ bytes: [UInt8], number: Int) async throws -> String {
        let call = S3Connection.Call(
            method: .put, key: key, query: [("partNumber", "\(number)"), ("uploadId", id)], body: bytes)
        guard let tag = try await connection.expectSuccess(call).headers[.eTag] else {
            throw ObjectStorageError(.failed, "the service took a part without an entity tag")
        }
        return tag
    }

    /// Puts the parts together; fails when one was replaced since its tag was taken.
    package func complete() async throws {
        let parts = tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(S3Reply.escape(tag))</ETag></Part>"
        }
        let document = "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        let call = S3Connection.Call(method: .post, key: key, query: [("uploadId", id)], body: Array(document.utf8))
        let response = try await connection.expectSuccess(call)
        // The service may notice a problem after it has sent the status.
        if let code = S3Reply(response.body).value("Code") {
            throw ObjectStorageError(.failed, "completing an upload: \(code)")
        }
    }

    /// Removes the parts of an upload that is given up.
    package func abort() async {
        let call = S3Connection.Call(method: .delete, key: key, query: [("uploadId", id)])
        // A task of its own, awaited here, because ours may be cancelled. The failure that brought us here is the one
        // to report; a bucket's life cycle rule removes what stays.
        await Task { [connection] in _ = try? await connection.send(call) }.value
    }
}

extension S3ObjectStore {
    /// Begins an object that is sent in parts.
    package func beginParts(_ key: ObjectKey) async throws -> S3PartUpload {
        try await S3PartUpload.begin(fullKey(key), connection)
    }

    /// Continues an upload begun elsewhere; nothing is sent.
    package func parts(_ key: ObjectKey, id: String, tags: [String]) -> S3PartUpload {
        S3PartUpload(id: id, tags: tags, key: fullKey(key), connection: connection)
    }

    /// Uploads in parts below a prefix that were begun and neither completed nor aborted; at most a thousand of them.
    package func openParts(prefix: String) async throws -> [(upload: S3PartUpload, begun: Date)] {
        let query = [("uploads", ""), ("prefix", connection.location.prefix + prefix), ("max-uploads", "1000")]
        let reply = S3Reply(try await connection.expectSuccess(S3Connection.Call(method: .get, query: query)).body)
        return reply.elements("Upload").compactMap { entry in
            guard let key = entry.value("Key"), let id = entry.value("UploadId"),
                let begun = entry.value("Initiated").flatMap({ S3Reply.date(ofListing: $0) })
            else { return nil }
            return (S3PartUpload(id: id, tags: [], key: key, connection: connection), begun)
        }
    }

    /// A URL by which anybody may read the object until `lifetime` is over.
    package func presignedURL(_ key: ObjectKey, lifetime: Duration) -> String {
        connection.presignedURL(fullKey(key), lifetime: lifetime)
    }
}

extension S3Connection {
    /// Sends a request and throws what an unsuccessful answer stands for.
    @discardableResult
    func expectSuccess(_ call: Call) async throws -> TransferResponse {
        let response = try await send(call)
        guard response.isSuccess else { throw error(response.status, response.body, call) }
        return response
    }
}

package import CurlTransfer
import FoundationEssentials
import HTTPTypes

/// Keeps objects in a bucket of an S3 service.
///
/// Bodies up to 8 MiB are stored by one request, longer ones in parts of that size, of which one is in memory at a
/// time. Requests are signed by us, repeated on passing trouble, and give up on a connection silent for a minute.
package struct S3ObjectStore: ObjectStore {
    let connection: S3Connection
    private let location: S3Location

    /// Creates a store; nothing is sent yet.
    package init(location: S3Location, credentials: S3Credentials, client: HTTPClient) {
        self.location = location
        connection = S3Connection(location: location, credentials: credentials, client: client)
    }

    /// Creates the bucket unless it exists.
    package func prepareBucket() async throws {
        let head = S3Connection.Call(method: .head)
        let found = try await connection.send(head)
        if found.isSuccess { return }
        guard found.status == 404 else { throw connection.error(found.status, found.body, head) }
        let put = S3Connection.Call(method: .put)
        let made = try await connection.send(put)
        // 409: somebody else was faster, or it is ours already.
        guard made.isSuccess || made.status == 409 else { throw connection.error(made.status, made.body, put) }
    }

    @discardableResult
    package func put<Body: AsyncSequence & Sendable>(_ key: ObjectKey, body: Body) async throws -> ObjectMetadata
    where Body.Element == [UInt8] {
        let upload = S3Upload(connection: connection, key: fullKey(key))
        let size = try await upload.store(body)
        return ObjectMetadata(key: key, size: size, modified: .now)
    }

    package func get(_ key: ObjectKey, range: Range<Int>?) async throws -> StoredObject {
        if let range, range.isEmpty || range.lowerBound < 0 {
            throw ObjectStorageError(.rangeNotSatisfiable, "an empty range was asked for")
        }
        let call = S3Connection.Call(method: .get, key: fullKey(key), range: range)
        let response = try await connection.stream(call)
        if response.status == 416, range?.lowerBound == 0, let metadata = try await head(key), metadata.size == 0 {
            return StoredObject(metadata: metadata, body: ObjectBody([]))
        }
        guard response.isSuccess else {
            throw connection.error(response.status, try await response.body.collect(upTo: 1 << 20), call)
        }
        let total = response.headers[.contentRange].flatMap { $0.split(separator: "/").last.flatMap { Int($0) } }
        let length = response.headers[.contentLength].flatMap { Int($0) }
        let metadata = ObjectMetadata(
            key: key, size: total ?? length ?? 0, modified: Self.modified(response.headers))
        let chunks = response.body
        return StoredObject(metadata: metadata, body: ObjectBody { try await Self.next(chunks) })
    }

    package func head(_ key: ObjectKey) async throws -> ObjectMetadata? {
        let call = S3Connection.Call(method: .head, key: fullKey(key))
        let response = try await connection.send(call)
        if response.status == 404 { return nil }
        guard response.isSuccess else { throw connection.error(response.status, response.body, call) }
        let size = response.headers[.contentLength].flatMap { Int($0) } ?? 0
        return ObjectMetadata(key: key, size: size, modified: Self.modified(response.headers))
    }

    package func delete(_ key: ObjectKey) async throws {
        let call = S3Connection.Call(method: .delete, key: fullKey(key))
        let response = try await connection.send(call)
        guard response.isSuccess || response.status == 404 else {
            throw connection.error(response.status, response.body, call)
        }
    }

    package func list(prefix: String, after: ObjectKey?, limit: Int) async throws -> ObjectPage {
        var call = S3Connection.Call(method: .get)
        call.query = [
            ("list-type", "2"), ("prefix", location.prefix + prefix), ("max-keys", "\(limit)"),
        ]
        if let after { call.query.append(("start-after", location.prefix + "\(after)")) }
        let response = try await connection.send(call)
        guard response.isSuccess else { throw connection.error(response.status, response.body, call) }
        let reply = S3Reply(response.body)
        let objects = reply.elements("Contents").compactMap { metadata($0) }
        return ObjectPage(objects: objects, next: reply.value("IsTruncated") == "true" ? objects.last?.key : nil)
    }

    package func check() async throws {
        let call = S3Connection.Call(method: .head)
        let response = try await connection.send(call)
        guard response.isSuccess else { throw connection.error(response.status, response.body, call) }
    }

    func fullKey(_ key: ObjectKey) -> String { location.prefix + "\(key)" }

    private func metadata(_ entry: S3Reply) -> ObjectMetadata? {
        guard let name = entry.value("Key"), name.hasPrefix(location.prefix),
            // An object whose name is no key of ours was put there by somebody else.
            let key = try? ObjectKey(String(name.dropFirst(location.prefix.count)))
        else { return nil }
        let modified = entry.value("LastModified").flatMap { S3Reply.date(ofListing: $0) }
        return ObjectMetadata(
            key: key, size: entry.value("Size").flatMap { Int($0) } ?? 0,
            modified: modified ?? Date(timeIntervalSince1970: 0))
    }

    private static func modified(_ headers: HTTPFields) -> Date {
        headers[.lastModified].flatMap { S3Reply.date(ofField: $0) } ?? Date(timeIntervalSince1970: 0)
    }

    private static func next(_ chunks: TransferChunks) async throws -> [UInt8]? {
        do {
            var iterator = chunks.makeAsyncIterator()
            return try await iterator.next()
        } catch let error as TransferError {
            throw ObjectStorageError(error.isTransient ? .unavailable : .failed, "\(error)")
        }
    }
}

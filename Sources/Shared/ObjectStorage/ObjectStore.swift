package import FoundationEssentials

/// What a store knows about an object without reading it.
package struct ObjectMetadata: Hashable, Sendable {
    /// The object's key.
    package let key: ObjectKey
    /// The length in bytes.
    package let size: Int
    /// When the object was last written.
    package let modified: Date

    /// Describes an object.
    package init(key: ObjectKey, size: Int, modified: Date) {
        self.key = key
        self.size = size
        self.modified = modified
    }
}

/// An object being read.
package struct StoredObject: Sendable {
    /// The whole object's metadata, also when only a range is read.
    package let metadata: ObjectMetadata
    /// The bytes asked for; may be iterated once.
    package let body: ObjectBody

    /// Puts an object together.
    package init(metadata: ObjectMetadata, body: ObjectBody) {
        self.metadata = metadata
        self.body = body
    }
}

/// One page of a listing.
package struct ObjectPage: Sendable {
    /// The objects, in the store's order of keys.
    package let objects: [ObjectMetadata]
    /// Where the next page begins; nil on the last page.
    package let next: ObjectKey?

    /// Puts a page together.
    package init(objects: [ObjectMetadata], next: ObjectKey?) {
        self.objects = objects
        self.next = next
    }
}

/// Keeps whole objects under keys, on disk or in an S3 service.
///
/// Reads after a completed write or delete see it. Every operation honours cancellation, and none waits without limit:
/// a store in trouble answers ``ObjectStorageError`` with `.unavailable`.
package protocol ObjectStore: Sendable {
    /// Stores what `body` yields under `key`, replacing an object already there.
    ///
    /// The body is streamed; memory stays bounded however long it is. The object appears whole or not at all: when the
    /// body throws, the task is cancelled or the store fails, the key is as before. Durable once returned.
    @discardableResult
    func put<Body: AsyncSequence & Sendable>(_ key: ObjectKey, body: Body) async throws -> ObjectMetadata
    where Body.Element == [UInt8]

    /// Opens an object for reading, whole or a part of it.
    ///
    /// - Parameter range: byte offsets; the end may lie behind the object's, a start behind it throws
    ///   `.rangeNotSatisfiable`. An empty object read whole yields nothing.
    /// - Throws: `.notFound` when there is no such object. The body throws when the store ends it early.
    func get(_ key: ObjectKey, range: Range<Int>?) async throws -> StoredObject

    /// What is known of an object; nil when there is none.
    func head(_ key: ObjectKey) async throws -> ObjectMetadata?

    /// Removes an object; doing so for a missing one is not an error.
    func delete(_ key: ObjectKey) async throws

    /// Lists objects whose key begins with `prefix` and comes after `after`, at most `limit` (1 to 1000) of them.
    ///
    /// The prefix is plain text, not a folder: `a/b` finds `a/bc`. An empty prefix lists everything. Keys come in byte
    /// order; SeaweedFS departs from it where a folder's name begins another name (`a/1` before `a-0`), which does not
    /// disturb paging.
    func list(prefix: String, after: ObjectKey?, limit: Int) async throws -> ObjectPage

    /// Makes sure that the store can be used: reachable, permitted, its container present. For readiness checks.
    func check() async throws
}

extension ObjectStore {
    /// Stores bytes held in memory.
    @discardableResult
    package func put(_ key: ObjectKey, bytes: [UInt8]) async throws -> ObjectMetadata {
        try await put(key, body: ObjectBody(bytes))
    }

    /// Stores the content of a local file.
    @discardableResult
    package func put(_ key: ObjectKey, file path: String) async throws -> ObjectMetadata {
        try await put(key, body: ObjectBody(file: path))
    }

    /// Opens a whole object.
    package func get(_ key: ObjectKey) async throws -> StoredObject {
        try await get(key, range: nil)
    }

    /// Reads a whole small object.
    ///
    /// - Throws: `.failed` when it is longer than `limit`.
    package func read(_ key: ObjectKey, limit: Int) async throws -> [UInt8] {
        let object = try await get(key, range: nil)
        guard object.metadata.size <= limit else {
            throw ObjectStorageError(.failed, "\(key) has \(object.metadata.size) bytes, more than \(limit)")
        }
        return try await object.body.reduce(into: []) { $0 += $1 }
    }

    /// Every object below a prefix, page by page.
    package func listAll(prefix: String) async throws -> [ObjectMetadata] {
        var objects: [ObjectMetadata] = []
        var after: ObjectKey?
        repeat {
            let page = try await list(prefix: prefix, after: after, limit: 1000)
            objects += page.objects
            after = page.next
        } while after != nil
        return objects
    }
}

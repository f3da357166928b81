import ConcurrencyPrimitives
import FoundationEssentials
import ObjectStorage

/// Small objects of a bucket, by the text of their keys.
struct BucketObjects: Sendable {
    /// The longest small object read, in bytes.
    private static let limit = 80 << 20
    /// How many requests one operation has under way at a time.
    private static let concurrency = 16

    let store: S3ObjectStore

    /// One object below a listed prefix.
    struct Entry: Hashable, Sendable {
        /// The key without the prefix.
        let name: String
        let size: Int
        let modified: Date
    }

    func read(_ key: String) async throws -> [UInt8]? {
        do {
            return try await store.read(try ObjectKey(key), limit: Self.limit)
        } catch let error as ObjectStorageError where error.code == .notFound {
            return nil
        }
    }

    func write(_ key: String, _ bytes: [UInt8]) async throws {
        try await store.put(try ObjectKey(key), bytes: bytes)
    }

    /// Writes an object whose being there is all it tells.
    func mark(_ key: String) async throws { try await write(key, [UInt8(ascii: "1")]) }

    func remove(_ key: String) async throws { try await store.delete(try ObjectKey(key)) }

    func size(_ key: String) async throws -> Int? { try await store.head(try ObjectKey(key))?.size }

    /// When an object was written, to the second; nil when there is none.
    func modified(_ key: String) async throws -> Date? { try await store.head(try ObjectKey(key))?.modified }

    /// Everything below a prefix that ends in a slash, in byte order.
    func list(_ prefix: String) async throws -> [Entry] {
        try await store.listAll(prefix: prefix).map {
            Entry(name: String("\($0.key)".dropFirst(prefix.count)), size: $0.size, modified: $0.modified)
        }
    }

    /// Applies an operation to each element, several at a time, and answers in the order of the elements.
    func map<Element: Sendable, Value: Sendable>(
        _ elements: [Element], _ body: @escaping @Sendable (Element) async throws -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            var values: [Value?] = Array(repeating: nil, count: elements.count)
            for (index, element) in elements.enumerated() {
                if index >= Self.concurrency, let (done, value) = try await group.next() { values[done] = value }
                group.addTask { (index, try await body(element)) }
            }
            while let (done, value) = try await group.next() { values[done] = value }
            return values.compactMap(\.self)
        }
    }
}

/// An entry that names a stored object, with its mark if it is to go.
struct ObjectEntry: Hashable, Sendable {
    /// The name below the digest: an object, for blobs with its size, for some of a repository with one of its own.
    let name: String
    let listed: Date
    /// When it was condemned; a mark that is older than the entry does not count.
    let condemned: Date?
    /// Whether there is a mark, even one that does not count.
    let hasMark: Bool

    /// The stored object.
    var object: String { name.split(separator: "-").first.map(String.init) ?? name }

    /// What an entry of the same content is called where all content is listed.
    var content: String { name.split(separator: "-").prefix(2).joined(separator: "-") }

    /// The length of a blob; nil for manifests.
    var size: Int? { name.split(separator: "-").dropFirst().first.flatMap { Int($0) } }

    /// Puts entries and marks together; those that are not condemned come first, the newest of them before others.
    static func read(_ entries: [BucketObjects.Entry]) -> [ObjectEntry] {
        var marks: [String: Date] = [:]
        for entry in entries where entry.name.hasSuffix(BucketLayout.condemned) {
            marks[String(entry.name.dropLast(BucketLayout.condemned.count))] = entry.modified
        }
        return entries.filter { !$0.name.hasSuffix(BucketLayout.condemned) }
            .map { entry in
                let mark = marks[entry.name]
                return ObjectEntry(
                    name: entry.name, listed: entry.modified,
                    condemned: mark.flatMap { $0 > entry.modified ? $0 : nil },
                    hasMark: mark != nil)
            }
            .sorted { ($0.condemned == nil ? 1 : 0, $0.listed) > ($1.condemned == nil ? 1 : 0, $1.listed) }
    }

    /// Whether a push may rely on the entry: what is condemned goes after half the grace period, so a push that sees it
    /// in the first half of that leaves its trace in time.
    func isUsable(at now: Date = .now, grace: Duration) -> Bool {
        guard let condemned else { return true }
        return now.timeIntervalSince(condemned) < grace.seconds / 4
    }
}

import ObjectStorage
import Testing

/// One promise of ``ObjectStore``, checked against any implementation. Keys are below a random prefix of the run.
struct StoreContract: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let check: @Sendable (any ObjectStore, String) async throws -> Void

    private init(_ name: String, _ check: @escaping @Sendable (any ObjectStore, String) async throws -> Void) {
        testDescription = name
        self.check = check
    }

    static func prefix() -> String { "run-\(String(UInt64.random(in: .min ... .max), radix: 36))" }

    static func code(_ body: () async throws -> Void) async -> ObjectStorageError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? ObjectStorageError)?.code
        }
    }

    static func chunks(_ count: Int, of size: Int) -> ObjectBody {
        let numbers = Counter()
        return ObjectBody {
            let number = await numbers.next()
            return number < count ? [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size) : nil
        }
    }

    private actor Counter {
        private var value = -1

        func next() -> Int {
            value += 1
            return value
        }
    }

    static let all: [StoreContract] = [
        StoreContract("what is put is got") { store, prefix in
            let key = try ObjectKey("\(prefix)/a:b c/ü&<x>")
            try await store.put(key, bytes: Array("hello".utf8))
            #expect(try await store.read(key, limit: 100) == Array("hello".utf8))
            #expect(try await store.head(key)?.size == 5)
        },
        StoreContract("a second put replaces the first") { store, prefix in
            let key = try ObjectKey("\(prefix)/x")
            try await store.put(key, bytes: [1, 2, 3])
            try await store.put(key, bytes: [4])
            #expect(try await store.read(key, limit: 100) == [4])
        },
        StoreContract("an empty object is an object") { store, prefix in
            let key = try ObjectKey("\(prefix)/empty")
            #expect(try await store.put(key, bytes: []).size == 0)
            #expect(try await store.head(key)?.size == 0)
            #expect(try await store.read(key, limit: 1) == [])
        },
        StoreContract("a missing object is not found") { store, prefix in
            let key = try ObjectKey("\(prefix)/missing")
            #expect(try await store.head(key) == nil)
            #expect(await code { _ = try await store.get(key) } == .notFound)
        },
        StoreContract("deleting is idempotent") { store, prefix in
            let key = try ObjectKey("\(prefix)/folder/gone")
            try await store.put(key, bytes: [1])
            try await store.delete(key)
            try await store.delete(key)
            #expect(try await store.head(key) == nil)
        },
        StoreContract("ranges select bytes") { store, prefix in
            let key = try ObjectKey("\(prefix)/range")
            try await store.put(key, bytes: Array(0..<100))
            let part = try await store.get(key, range: 10..<13)
            #expect(part.metadata.size == 100)
            #expect(try await part.body.reduce(into: []) { $0 += $1 } == [10, 11, 12])
            let tail = try await store.get(key, range: 98..<1000)
            #expect(try await tail.body.reduce(into: []) { $0 += $1 } == [98, 99])
            #expect(await code { _ = try await store.get(key, range: 100..<101) } == .rangeNotSatisfiable)
        },
        StoreContract("a body of many chunks arrives in order") { store, prefix in
            let key = try ObjectKey("\(prefix)/chunks")
            try await store.put(key, body: chunks(300, of: 1000))
            let bytes = try await store.read(key, limit: 1 << 20)
            #expect(bytes == (0..<300).flatMap { [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: 1000) })
        },
        StoreContract("a body longer than several parts is whole") { store, prefix in
            let key = try ObjectKey("\(prefix)/long")
            try await store.put(key, body: chunks(20, of: 1 << 20))
            var counts: [UInt8: Int] = [:]
            for try await chunk in try await store.get(key).body { for byte in chunk { counts[byte, default: 0] += 1 } }
            #expect(counts.count == 20 && counts.values.allSatisfy { $0 == 1 << 20 })
        },
        StoreContract("a body that fails leaves the key as it was") { store, prefix in
            struct Broken: Error {}
            let key = try ObjectKey("\(prefix)/kept")
            try await store.put(key, bytes: [7])
            let good = chunks(9, of: 1 << 20).makeAsyncIterator()
            let body = ObjectBody {
                guard let chunk = try await good.next() else { throw Broken() }
                return chunk
            }
            await #expect(throws: Broken.self) { try await store.put(key, body: body) }
            #expect(try await store.read(key, limit: 10) == [7])
        },
        StoreContract("lists go by prefix, in byte order, in pages") { store, prefix in
            for name in ["b", "a/2", "a/1", "a0", "a/10", "c/x/y"] {
                try await store.put(try ObjectKey("\(prefix)/\(name)"), bytes: [1])
            }
            let expected = ["a/1", "a/10", "a/2", "a0", "b", "c/x/y"].map { "\(prefix)/\($0)" }
            #expect(try await store.listAll(prefix: "\(prefix)/").map(\.key.description) == expected)
            #expect(try await store.listAll(prefix: "\(prefix)/a/1").map(\.key.description) == Array(expected[0...1]))
            let first = try await store.list(prefix: "\(prefix)/", after: nil, limit: 4)
            #expect(first.objects.map(\.key.description) == Array(expected[..<4]))
            let next: ObjectKey = try #require(first.next)
            let second = try await store.list(prefix: "\(prefix)/", after: next, limit: 4)
            #expect(second.objects.map(\.key.description) == Array(expected[4...]))
            #expect(second.next == nil)
        },
        StoreContract("concurrent puts of a key leave one of them") { store, prefix in
            let key = try ObjectKey("\(prefix)/contended")
            try await withThrowingTaskGroup { group in
                for number in 1...8 {
                    group.addTask { try await store.put(key, bytes: [UInt8](repeating: UInt8(number), count: 5000)) }
                }
                try await group.waitForAll()
            }
            let bytes = try await store.read(key, limit: 5000)
            #expect(bytes.count == 5000 && Set(bytes).count == 1)
        },
        StoreContract("a store in order passes its check") { store, _ in try await store.check() },
    ]
}

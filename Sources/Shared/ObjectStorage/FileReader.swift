import ConcurrencyPrimitives
import Synchronization

/// Threads on which this library's blocking file operations run; shared by all stores of the process.
enum FileThreads {
    static let shared = BlockingThreads(label: "object-files", count: 4, queueLimit: 4096)

    /// Runs a blocking operation and translates its failure.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await shared.run(body)
        } catch let failure as FileFailure {
            throw ObjectStorageError(failure)
        } catch is BlockingThreads.Busy {
            throw ObjectStorageError(.unavailable, "too many file operations wait")
        }
    }
}

/// Reads a file, or a part of it, chunk by chunk.
final class FileReader: Sendable {
    private static let chunk = 1 << 20

    private struct Position: ~Copyable {
        var file: OpenFile?
        var offset: Int
        var end: Int?
    }

    private let path: String
    private let position: Mutex<Position>

    /// Will open `path` at the first read and read to its end.
    init(path: String) {
        self.path = path
        position = Mutex(Position(file: nil, offset: 0, end: nil))
    }

    /// Reads `range` of an open file, which must be there in full.
    init(_ file: consuming OpenFile, path: String, range: Range<Int>) {
        self.path = path
        position = Mutex(Position(file: consume file, offset: range.lowerBound, end: range.upperBound))
    }

    func next() async throws -> [UInt8]? {
        try Task.checkCancellation()
        return try await FileThreads.run { try self.readNext() }
    }

    private func readNext() throws -> [UInt8]? {
        try position.withLock { position in
            if position.file == nil { position.file = try OpenFile(path, .reading) }
            let wanted = min(Self.chunk, position.end.map { $0 - position.offset } ?? Self.chunk)
            guard wanted > 0 else { return nil }
            let bytes = try position.file?.read(wanted, at: position.offset) ?? []
            if position.end != nil, bytes.count < wanted {
                throw ObjectStorageError(.failed, "a file became shorter while it was read")
            }
            position.offset += bytes.count
            return bytes.isEmpty ? nil : bytes
        }
    }
}

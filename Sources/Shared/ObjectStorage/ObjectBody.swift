import ConcurrencyPrimitives
import Synchronization

/// The bytes of an object in chunks, read only as fast as they are consumed.
///
/// May be iterated once.
package struct ObjectBody: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package typealias Failure = any Error

    /// Hands out the chunks one after another.
    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let read: @Sendable () async throws -> [UInt8]?

        package func next() async throws -> [UInt8]? { try await read() }
    }

    private let read: @Sendable () async throws -> [UInt8]?

    /// Takes chunks from a function that answers nil at the end; it is not called again after that or after an error.
    package init(read: @escaping @Sendable () async throws -> [UInt8]?) {
        self.read = read
    }

    /// Yields bytes held in memory as one chunk.
    package init(_ bytes: [UInt8]) {
        let rest = Mutex<[UInt8]?>(bytes.isEmpty ? nil : bytes)
        self.init { rest.withLock { $0.take() } }
    }

    /// Yields the content of a file, opened when the first chunk is asked for.
    package init(file path: String) {
        let reader = FileReader(path: path)
        self.init { try await reader.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(read: read) }
}

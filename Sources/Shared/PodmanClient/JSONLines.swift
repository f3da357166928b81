import CurlTransfer
import FoundationEssentials

/// Decodes a response of one JSON value a line.
struct JSONLines<Value: Decodable & Sendable>: AsyncSequence, Sendable {
    typealias Element = Value
    typealias Failure = any Error

    let source: TransferChunks

    struct AsyncIterator: AsyncIteratorProtocol {
        var source: TransferChunks.AsyncIterator
        var partial: [UInt8] = []
        var lines: [[UInt8]] = []
        var hasEnded = false

        mutating func next() async throws -> Value? {
            while true {
                while !lines.isEmpty {
                    let line = lines.removeFirst()
                    if !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { return try decode(line) }
                }
                guard !hasEnded else { return nil }
                try await read()
            }
        }

        private mutating func read() async throws {
            let chunk: [UInt8]?
            do {
                chunk = try await source.next()
            } catch let error as TransferError {
                throw PodmanError(error)
            }
            guard let chunk else {
                hasEnded = true
                lines = [partial]
                return
            }
            partial += chunk
            guard let last = partial.lastIndex(of: 0x0A) else { return }
            lines = partial[..<last].split(separator: 0x0A).map(Array.init)
            partial = Array(partial[(last + 1)...])
        }

        private func decode(_ line: [UInt8]) throws -> Value {
            do {
                return try JSONDecoder().decode(Value.self, from: Data(line))
            } catch {
                throw PodmanError(.invalidResponse, message: "A line of podman's answer is not a \(Value.self).")
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source.makeAsyncIterator()) }
}

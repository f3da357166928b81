import FoundationEssentials
import Hummingbird
import NIOCore

extension Router<BasicRequestContext> {
    /// `POST /echo` answers with the request's body, streamed; `GET /nothing` with nothing.
    func addEcho() {
        post("echo") { request, _ in
            Response(status: .ok, body: .init(asyncSequence: request.body))
        }
        get("nothing") { _, _ in "" }
    }
}

/// Keeps `content` in a file of a random name for as long as `body` runs.
func withTemporaryFile<Result>(_ content: [UInt8], _ body: (String) async throws -> Result) async throws -> Result {
    let path = "/tmp/curl-transfer-\(UUID().uuidString)"
    try Data(content).write(to: URL(filePath: path))
    defer {
        do { try FileManager.default.removeItem(atPath: path) } catch { print("cannot remove \(path): \(error)") }
    }
    return try await body(path)
}

/// Chunks of zeros that report when they are asked for.
struct CountedSource: AsyncSequence, Sendable {
    let chunks: Int
    let size: Int
    let onChunk: @Sendable (Int) -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        let source: CountedSource
        var number = 0

        mutating func next() async -> [UInt8]? {
            guard number < source.chunks else { return nil }
            number += 1
            source.onChunk(source.size)
            return Array(repeating: 0, count: source.size)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: self) }
}

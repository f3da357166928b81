import Hummingbird
import NIOCore

/// Reads content from disk in large pieces, one piece ahead of the network.
struct BlobReading: BlobContent {
    private static let piece = 1 << 20

    let content: OpenBlob
    let threads: StorageThreads

    var size: Int { content.size }

    func read(_ range: Range<Int>) async throws -> ByteBuffer {
        try await threads.run { [content] in
            var buffer = ByteBufferAllocator().buffer(capacity: range.count)
            _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: range.count) { bytes in
                try content.read(range.count, at: range.lowerBound, into: bytes)
            }
            return buffer
        }
    }

    func write(_ range: Range<Int>, to writer: inout any ResponseBodyWriter) async throws {
        content.adviseSequentialReading()
        var offset = range.lowerBound
        var ready = try await read(next(offset, range))
        while true {
            offset += ready.readableBytes
            guard offset < range.upperBound else {
                try await writer.write(ready)
                return
            }
            let following = next(offset, range)
            async let ahead = read(following)
            try await writer.write(ready)
            ready = try await ahead
        }
    }

    private func next(_ offset: Int, _ range: Range<Int>) -> Range<Int> {
        offset..<min(offset + Self.piece, range.upperBound)
    }
}

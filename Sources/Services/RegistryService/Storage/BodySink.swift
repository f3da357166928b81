import HummingbirdCore
import NIOCore

/// Where the body of an answer goes.
struct BodySink {
    /// Takes pieces held in memory.
    var writer: any ResponseBodyWriter
    /// Takes parts of files; nil where the connection cannot.
    let files: FileSender?

    mutating func write(_ buffer: ByteBuffer) async throws { try await writer.write(buffer) }
}

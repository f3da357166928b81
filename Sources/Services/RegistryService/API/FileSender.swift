import NIOCore
import NIOHTTP1

/// Sends parts of files as the body of an answer on a plain connection, by the kernel from the page cache.
///
/// Nothing of them is ever in the memory of the process, however slowly a client reads.
struct FileSender: Sendable {
    private let channel: any Channel

    /// - Parameter channel: a connection whose answers an `HTTPResponseEncoder` writes straight to the socket.
    init(_ channel: any Channel) { self.channel = channel }

    /// Sends a part of a file behind what was written before, and returns once the kernel has all of it.
    ///
    /// - Parameters:
    ///   - descriptor: an open file, which is closed at the end.
    func send(_ descriptor: CInt, _ range: Range<Int>) async throws {
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
        let region = FileRegion(fileHandle: handle, readerIndex: range.lowerBound, endIndex: range.upperBound)
        let written = channel.eventLoop.flatSubmit { [channel] in Self.write(region, to: channel) }
        do {
            try await withTaskCancellationHandler {
                try await written.get()
            } onCancel: {
                channel.close(mode: .all, promise: nil)
            }
        } catch {
            try handle.close()
            throw error
        }
        try handle.close()
    }

    /// Writes past the encoder, which leaves the body of an answer of known length as it is.
    private static func write(_ region: FileRegion, to channel: any Channel) -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        do {
            let encoder = try channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            encoder.writeAndFlush(NIOAny(IOData.fileRegion(region)), promise: promise)
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }
}

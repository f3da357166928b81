import Glibc
package import NIOCore

/// A part of an open file on its way to a connection; it closes the file when nobody needs it any more.
package final class SentFile: Sendable {
    /// How long what is left of a file that has become shorter is tried to be sent.
    private static let patience = TimeAmount.seconds(1)

    private let region: FileRegion

    /// - Parameters:
    ///   - descriptor: of the file; it belongs to this part from now on.
    ///   - range: in bytes from the beginning of the file.
    package init(descriptor: CInt, _ range: Range<Int>) {
        region = FileRegion(
            fileHandle: NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor),
            readerIndex: range.lowerBound, endIndex: range.upperBound)
    }

    deinit {
        // A file that was only read loses nothing when it cannot be closed.
        do { try region.fileHandle.close() } catch {}
    }

    /// Sends it by the kernel (sendfile) behind what was written before; done when the kernel has all of it.
    ///
    /// - Parameter encoder: the place of the `HTTPResponseEncoder` of a connection whose answers are written straight
    ///   to the socket. The encoder is passed by: it leaves the body of an answer of known length as it is.
    package func send(past encoder: ChannelHandlerContext) -> EventLoopFuture<Void> {
        let sent = encoder.eventLoop.makePromise(of: Void.self)
        var isSent = false
        sent.futureResult.assumeIsolated().whenComplete { _ in isSent = true }
        encoder.writeAndFlush(NIOAny(IOData.fileRegion(region)), promise: sent)
        guard !isSent else { return sent.futureResult }
        // NIO takes the end of a file that comes too early for a connection that takes no more, and tries for ever.
        let watch = encoder.eventLoop.scheduleRepeatedTask(
            initialDelay: Self.patience, delay: Self.patience
        ) { [self, channel = encoder.channel] _ in
            if try isTooShort { channel.close(promise: nil) }
        }
        sent.futureResult.whenComplete { [self] _ in withExtendedLifetime(self) { watch.cancel() } }
        return sent.futureResult
    }

    private var isTooShort: Bool {
        get throws {
            try region.fileHandle.withUnsafeFileDescriptor { descriptor in
                var status = stat()
                return fstat(descriptor, &status) != 0 || Int(status.st_size) < region.endIndex
            }
        }
    }
}

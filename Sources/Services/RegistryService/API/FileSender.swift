import NIOCore
import NIOHTTP1
import ServiceHTTP

/// Sends parts of files as the body of an answer on a plain connection, from the page cache.
///
/// The kernel sends them by itself (sendfile): nothing of the file is ever in the memory of the process, however slowly
/// a client reads. A client on this machine is sent copies of what is large: small enough to be in the processor's
/// cache when the client takes them, where sendfile lets it fetch page after page from main memory.
struct FileSender: Sendable {
    /// Up to here the kernel sends to clients on this machine too: that is faster for what they find in the cache.
    static let kernelSize = 1 << 20

    private let channel: any Channel

    /// - Parameter channel: a connection whose answers an `HTTPResponseEncoder` writes straight to the socket.
    init(_ channel: any Channel) { self.channel = channel }

    /// Sends a part of a file behind what was written before, and returns once the kernel has all of it.
    func send(_ content: OpenBlob, _ range: Range<Int>) async throws {
        if range.count > Self.kernelSize, isOnThisMachine {
            try await finish {
                let copies = FileCopies(content, range, $0)
                copies.write()
                return copies.done
            }
        } else {
            let file = try content.file(range)
            try await finish(file.send)
        }
    }

    /// Whether the client's address is the one it has reached: then the loopback interface lies between.
    private var isOnThisMachine: Bool {
        guard let address = channel.remoteAddress?.ipAddress else { return false }
        return address == channel.localAddress?.ipAddress
    }

    /// Writes past the encoder, which leaves the body of an answer of known length as it is.
    private func finish(
        _ write: @escaping @Sendable (_ encoder: ChannelHandlerContext) -> EventLoopFuture<Void>
    ) async throws {
        let written = channel.eventLoop.flatSubmit { [channel] in
            do {
                return write(try channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self))
            } catch {
                return channel.eventLoop.makeFailedFuture(error)
            }
        }
        try await withTaskCancellationHandler {
            try await written.get()
        } onCancel: {
            channel.close(mode: .all, promise: nil)
        }
    }
}

/// Copies of a part of a file on their way to a connection, one at a time. Belongs to the connection's event loop.
private final class FileCopies {
    /// As much as one segment of the loopback interface carries (MTU 65536). A little more would be sent as two, the
    /// second of some bytes, and take nearly twice the time.
    private static let size = 60 << 10
    /// How much is written before the event loop turns to others.
    private static let turn = 1 << 20

    private let content: OpenBlob
    private var left: Range<Int>
    private let encoder: ChannelHandlerContext
    private let promise: EventLoopPromise<Void>
    private var buffer: ByteBuffer

    init(_ content: OpenBlob, _ range: Range<Int>, _ encoder: ChannelHandlerContext) {
        self.content = content
        left = range
        self.encoder = encoder
        promise = encoder.eventLoop.makePromise()
        buffer = encoder.channel.allocator.buffer(capacity: min(Self.size, range.count))
    }

    /// Fulfilled when the kernel has all of it.
    var done: EventLoopFuture<Void> { promise.futureResult }

    /// Writes until the connection takes no more for now, and goes on when it does.
    func write() {
        let pause = left.lowerBound + Self.turn
        while !left.isEmpty {
            guard left.lowerBound < pause else {
                return encoder.eventLoop.assumeIsolated().execute { self.write() }
            }
            do {
                try fill()
            } catch {
                return promise.fail(error)
            }
            guard isWrittenAtOnce() else { return }
        }
        promise.succeed()
    }

    /// Takes the next bytes into the buffer, whose memory is free again.
    private func fill() throws {
        let next = left.prefix(Self.size)
        buffer.clear()
        try content.read(next, to: &buffer)
        left = next.upperBound..<left.upperBound
    }

    /// Writes the buffer; when that takes its time, ``write()`` goes on afterwards.
    private func isWrittenAtOnce() -> Bool {
        var isWritten = false
        var isAwaited = false
        let written = encoder.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success where isAwaited: self.write()
            case .success: isWritten = true
            case .failure(let error): self.promise.fail(error)
            }
        }
        encoder.writeAndFlush(NIOAny(IOData.byteBuffer(buffer)), promise: written)
        isAwaited = !isWritten
        return isWritten
    }
}

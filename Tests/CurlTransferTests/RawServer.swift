import NIOCore
import NIOPosix

/// A peer that says exactly the bytes a test wants, connection by connection.
///
/// `serve` gets the number of the connection, its inbound buffers and its channel;
/// the connection closes when it returns.
func withRawServer<Result: Sendable>(
    serve:
        @escaping @Sendable (
            Int, NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator, any Channel
        ) async throws -> Void,
    _ body: @escaping @Sendable (String) async throws -> Result
) async throws -> Result {
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(host: "127.0.0.1", port: 0) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(isOutboundHalfClosureEnabled: true))
            }
        }
    let port = server.channel.localAddress?.port ?? 0
    return try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
            try await server.executeThenClose { connections in
                await withTaskGroup(of: Void.self) { sessions in
                    var number = 0
                    do {
                        for try await connection in connections {
                            number += 1
                            let current = number
                            sessions.addTask {
                                do {
                                    try await connection.executeThenClose { inbound, _ in
                                        try await serve(current, inbound.makeAsyncIterator(), connection.channel)
                                    }
                                } catch {
                                    // The peer may leave in the middle; what matters is what the client makes of it.
                                }
                            }
                        }
                    } catch {
                        // The listener ends with its test.
                    }
                }
            }
            return nil
        }
        group.addTask { try await body("http://127.0.0.1:\(port)") }
        defer { group.cancelAll() }
        while let result = try await group.next() {
            if let result { return result }
        }
        throw CancellationError()
    }
}

extension NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator {
    /// Reads until the empty line that ends a request head.
    mutating func readHead() async throws {
        var text = ""
        while !text.contains("\r\n\r\n"), let buffer = try await next() { text += String(buffer: buffer) }
    }
}

extension Channel {
    /// Returns once the bytes are in the kernel's hands.
    func say(_ text: String) async throws { try await say(ByteBuffer(string: text)) }

    func say(_ buffer: ByteBuffer) async throws { try await writeAndFlush(buffer).get() }
}

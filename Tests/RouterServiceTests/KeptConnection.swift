import NIOCore
import NIOPosix

/// One connection of a client that asks again and again over it.
final class KeptConnection {
    /// The other side closed the connection.
    struct Closed: Error {
        let received: String
    }

    private let host: String
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var parts: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator

    private init(
        host: String, inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.host = host
        self.outbound = outbound
        parts = inbound.makeAsyncIterator()
    }

    /// Opens a connection to a loopback port for the time `body` takes.
    static func with(
        port: Int, host: String, _ body: @escaping @Sendable (KeptConnection) async throws -> Void
    ) async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            try await body(KeptConnection(host: host, inbound: inbound, outbound: outbound))
        }
    }

    /// Sends a text and returns all that comes until the other side closes.
    func sendAndReadToEnd(_ text: String) async throws -> String {
        if !text.isEmpty { try await outbound.write(ByteBuffer(string: text)) }
        var received = ""
        while let part = try await parts.next() { received += String(buffer: part) }
        return received
    }

    /// Makes this connection a websocket.
    func upgrade(_ path: String) async throws {
        let head = """
            GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
            """
        try await outbound.write(ByteBuffer(string: head))
        var received = ""
        while !received.contains("\r\n\r\n") {
            guard let part = try await parts.next() else { throw Closed(received: received) }
            received += String(buffer: part)
        }
        guard received.hasPrefix("HTTP/1.1 101") else { throw Closed(received: received) }
    }

    /// Sends a short text over the websocket and returns the one that comes back.
    func echo(_ text: String) async throws -> String {
        let bytes = Array(text.utf8)
        // A text frame with a mask of zeroes.
        try await outbound.write(ByteBuffer(bytes: [0x81, 0x80 | UInt8(bytes.count), 0, 0, 0, 0] + bytes))
        var received: [UInt8] = []
        while received.count < 2 || received.count < 2 + Int(received[1]) {
            guard let part = try await parts.next() else { throw Closed(received: "\(received)") }
            received += part.readableBytesView
        }
        return String(decoding: received.dropFirst(2), as: UTF8.self)
    }

    /// The body of the answer, which must tell its length.
    func get(_ path: String) async throws -> String {
        try await outbound.write(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n"))
        var received = ""
        while let part = try await parts.next() {
            received += String(buffer: part)
            guard let end = received.firstRange(of: "\r\n\r\n") else { continue }
            let body = received[end.upperBound...]
            let lines = received[..<end.lowerBound].lowercased().split(separator: "\r\n")
            let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) }
            if body.utf8.count == length { return String(body) }
        }
        throw Closed(received: received)
    }
}

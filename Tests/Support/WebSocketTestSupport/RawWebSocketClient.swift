package import NIOCore
import NIOPosix

/// A websocket client that writes the bytes of frames itself, so that tests can also send wrong ones.
///
/// An actor-free value used by one task; reads whole HTTP heads and single frames.
package struct RawWebSocketClient {
    /// One frame as it was sent.
    package struct Frame: Equatable, Sendable {
        package let final: Bool
        package let opcode: UInt8
        package let payload: [UInt8]

        package init(final: Bool, opcode: UInt8, payload: [UInt8]) {
            self.final = final
            self.opcode = opcode
            self.payload = payload
        }

        /// The payload as text.
        package var text: String { String(decoding: payload, as: UTF8.self) }
        /// The number in a close frame.
        package var closeCode: Int? { opcode == 8 && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil }
    }

    /// The peer has closed the stream.
    package struct EndOfStream: Error {}

    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    /// The connection itself.
    package let channel: any Channel
    private var received = ByteBuffer()

    /// Connects, runs the body and closes the connection, whatever happens.
    package static func connect<Result: Sendable>(
        port: Int, _ body: @Sendable (inout RawWebSocketClient) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var client = RawWebSocketClient(
                iterator: inbound.makeAsyncIterator(), outbound: outbound, channel: channel.channel)
            return try await body(&client)
        }
    }

    /// Sends text as it is, outside frames.
    package mutating func send(_ text: String) async throws {
        try await outbound.write(ByteBuffer(string: text))
    }

    /// Sends bytes as they are, outside frames.
    package mutating func send(bytes: [UInt8]) async throws {
        try await outbound.write(ByteBuffer(bytes: bytes))
    }

    /// Asks for a websocket and returns the head of the answer.
    package mutating func handshake(_ path: String, headers: [String] = []) async throws -> String {
        let lines =
            [
                "GET \(path) HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ] + headers
        try await send(lines.joined(separator: "\r\n") + "\r\n\r\n")
        return try await head()
    }

    /// Reads one HTTP head including its empty line.
    package mutating func head() async throws -> String {
        while true {
            let view = received.readableBytesView
            if let end = view.indices.first(where: { view[$0...].starts(with: Array("\r\n\r\n".utf8)) }) {
                return received.readString(length: end - view.startIndex + 4) ?? ""
            }
            try await more()
        }
    }

    /// Reads so many bytes.
    package mutating func bytes(_ count: Int) async throws -> [UInt8] {
        while received.readableBytes < count { try await more() }
        return received.readBytes(length: count) ?? []
    }

    /// The next frame, whatever it is.
    package mutating func frame() async throws -> Frame {
        let first = try await bytes(2)
        var length = Int(first[1] & 0x7F)
        if length > 125 {
            length = try await bytes(length == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) }
        }
        return Frame(final: first[0] & 0x80 != 0, opcode: first[0] & 0x0F, payload: try await bytes(length))
    }

    /// The next frame that is not a ping.
    package mutating func dataFrame() async throws -> Frame {
        while true {
            let frame = try await frame()
            if frame.opcode != 9 { return frame }
        }
    }

    /// True when the peer closes the stream before it sends anything more.
    package mutating func isAtEnd() async throws -> Bool {
        guard received.readableBytes == 0 else { return false }
        do {
            guard let buffer = try await iterator.next() else { return true }
            received = buffer
            return buffer.readableBytes == 0
        } catch is IOError {
            return true
        }
    }

    /// Sends one frame.
    package mutating func send(opcode: UInt8, _ payload: [UInt8], final: Bool = true, masked: Bool = true) async throws
    {
        try await send(bytes: Self.encode(opcode: opcode, payload, final: final, masked: masked))
    }

    /// Sends a text message.
    package mutating func send(text: String) async throws {
        try await send(opcode: 1, Array(text.utf8))
    }

    /// The bytes of a frame.
    package static func encode(opcode: UInt8, _ payload: [UInt8], final: Bool = true, masked: Bool = true) -> [UInt8] {
        var bytes: [UInt8] = [(final ? 0x80 : 0) | opcode]
        let mask: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(mask | UInt8(payload.count))
        case ..<65_536: bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: bytes += [mask | 127] + (0..<8).map { UInt8(payload.count >> (56 - 8 * $0) & 0xFF) }
        }
        guard masked else { return bytes + payload }
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }

    private mutating func more() async throws {
        guard var buffer = try await iterator.next() else { throw EndOfStream() }
        received.writeBuffer(&buffer)
    }
}

extension RawWebSocketClient {
    /// Sends a handshake with its first message right behind it while earlier answers are still on their way, and
    /// returns the heads of those answers.
    package mutating func handshakePipelined(_ path: String, after count: Int, bodyLength: Int) async throws -> [String]
    {
        try await send(
            "GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        try await send(text: "early")
        var heads: [String] = []
        for _ in 0..<count {
            heads.append(try await head())
            _ = try await bytes(bodyLength)
        }
        return heads
    }
}

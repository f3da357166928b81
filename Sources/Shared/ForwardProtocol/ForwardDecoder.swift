package import NIOCore

/// Takes the bytes of a connection as they come and gives back whole messages of the forward protocol.
///
/// An error is final: the position in the stream is lost, and the connection should be closed.
package struct ForwardDecoder: Sendable {
    private let limit: Int
    private var buffer = ByteBuffer()
    private var scanner: MessagePackScanner

    /// - Parameter limit: The largest message accepted, in bytes.
    package init(limit: Int = 16 << 20) {
        self.limit = limit
        scanner = MessagePackScanner(limit: limit)
    }

    /// Bytes received that belong to no complete message yet.
    package var pendingBytes: Int { buffer.readableBytes }

    package mutating func append(_ bytes: ByteBuffer) {
        guard buffer.readableBytes > 0 else {
            buffer = bytes
            return
        }
        // Messages already given out share the old storage; what is left moves to its own once, not at every append.
        if buffer.readerIndex > 0 { buffer = ByteBuffer(bytes: buffer.readableBytesView) }
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next complete message, or nil until more bytes come; keep-alives are passed over.
    package mutating func next() throws(ForwardError) -> ForwardMessage? {
        while let value = try nextValue() {
            if value.readableBytes == 1, value.getInteger(at: value.readerIndex, as: UInt8.self) == 0xC0 { continue }
            do {
                return try Self.message(MessagePackReader(value))
            } catch let error as ForwardError {
                throw error
            } catch {
                throw .notAMessage
            }
        }
        return nil
    }

    private mutating func nextValue() throws(ForwardError) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        let length: Int?
        do { length = try scanner.advance(buffer) } catch { throw .encoding(error) }
        guard let length else { return nil }
        scanner = MessagePackScanner(limit: limit)
        return buffer.readSlice(length: length)
    }

    private static func message(_ value: MessagePackReader) throws -> ForwardMessage {
        var reader = value
        let count = try reader.readArrayHeader()
        guard count >= 2 else { throw ForwardError.notAMessage }
        let tag = try reader.readString()
        if reader.nextIsArray {
            var events = MessagePackReader(try reader.skip())
            _ = try events.readArrayHeader()
            return try finish(.forward, tag, events.rest, &reader, more: count > 2)
        }
        if reader.nextIsBytes {
            return try finish(.packedForward, tag, try reader.readBytes(), &reader, more: count > 2)
        }
        guard count >= 3 else { throw ForwardError.notAMessage }
        let time = try reader.readTime()
        var event = MessagePackWriter()
        event.writeArrayHeader(2)
        event.write(time)
        event.append(encoded: try reader.skip())
        return try finish(.message, tag, event.buffer, &reader, more: count > 3)
    }

    private static func finish(
        _ mode: ForwardMessage.Mode, _ tag: String, _ packed: ByteBuffer, _ reader: inout MessagePackReader, more: Bool
    ) throws -> ForwardMessage {
        var chunk: String?
        var size: Int?
        if more, reader.nextIsMap {
            for _ in 0..<(try reader.readMapHeader()) {
                switch try reader.readString() {
                case "chunk" where reader.nextIsBytes: chunk = try reader.readString()
                case "size": size = Int(try reader.readInteger())
                case "compressed" where reader.nextIsBytes:
                    let name = try reader.readString()
                    guard name == "text" else { throw ForwardError.compressionUnsupported(name) }
                default: try reader.skip()
                }
            }
        }
        return ForwardMessage(mode: mode, tag: tag, packed: packed, chunk: chunk, size: size)
    }
}

package import NIOCore

/// Reads MessagePack values one after the other from complete bytes.
///
/// Total: whatever the bytes are, a method returns or throws. Lengths are checked against the bytes at hand before
/// anything is allocated.
package struct MessagePackReader: Sendable {
    private var buffer: ByteBuffer

    package init(_ buffer: ByteBuffer) {
        self.buffer = buffer
    }

    package var isAtEnd: Bool { buffer.readableBytes == 0 }
    /// The bytes not read yet.
    package var rest: ByteBuffer { buffer }

    /// Reads the head of an array; its elements are read next.
    package mutating func readArrayHeader() throws(MessagePackError) -> Int {
        try take(.array).children
    }

    /// Reads the head of a map; keys and values are read next, in turn.
    package mutating func readMapHeader() throws(MessagePackError) -> Int {
        try take(.map).children / 2
    }

    /// Reads a string or binary value as text; bytes that are not UTF-8 become replacement characters.
    package mutating func readString() throws(MessagePackError) -> String {
        String(buffer: try readBytes())
    }

    /// Reads a string or binary value without copying it.
    package mutating func readBytes() throws(MessagePackError) -> ByteBuffer {
        let head = try peek()
        guard head.kind == .string || head.kind == .binary else { throw .unexpectedType }
        buffer.moveReaderIndex(forwardBy: head.size)
        guard let slice = buffer.readSlice(length: head.payload) else { throw .incomplete }
        return slice
    }

    /// Reads an integer of any width; one beyond `Int64` is out of limits.
    package mutating func readInteger() throws(MessagePackError) -> Int64 {
        guard try peek().kind == .integer, let first = buffer.readInteger(as: UInt8.self) else { throw .unexpectedType }
        let value: Int64? =
            switch first {
            case 0xCC: buffer.readInteger(as: UInt8.self).map(Int64.init)
            case 0xCD: buffer.readInteger(as: UInt16.self).map(Int64.init)
            case 0xCE: buffer.readInteger(as: UInt32.self).map(Int64.init)
            case 0xCF: try Self.fit(buffer.readInteger(as: UInt64.self))
            case 0xD0: buffer.readInteger(as: Int8.self).map(Int64.init)
            case 0xD1: buffer.readInteger(as: Int16.self).map(Int64.init)
            case 0xD2: buffer.readInteger(as: Int32.self).map(Int64.init)
            case 0xD3: buffer.readInteger(as: Int64.self)
            default: Int64(Int8(bitPattern: first))
            }
        guard let value else { throw .incomplete }
        return value
    }

    private static func fit(_ value: UInt64?) throws(MessagePackError) -> Int64? {
        guard let value else { return nil }
        guard let fitting = Int64(exactly: value) else { throw .limitExceeded }
        return fitting
    }

    /// Reads the time of an event: an integer of seconds, a float, or the extension of the forward protocol.
    package mutating func readTime() throws(MessagePackError) -> ForwardTime {
        let head = try peek()
        switch head.kind {
        case .integer: return ForwardTime(seconds: try readInteger(), nanoseconds: 0)
        case .float: return ForwardTime(fractional: try readFloat(head))
        case .ext:
            guard head.payload == 8, buffer.getInteger(at: buffer.readerIndex + head.size - 1, as: UInt8.self) == 0
            else {
                throw .unexpectedType
            }
            buffer.moveReaderIndex(forwardBy: head.size)
            guard let (seconds, nanoseconds) = buffer.readMultipleIntegers(as: (UInt32, UInt32).self) else {
                throw .incomplete
            }
            return ForwardTime(seconds: Int64(seconds), nanoseconds: min(nanoseconds, 999_999_999))
        default: throw .unexpectedType
        }
    }

    private mutating func readFloat(_ head: MessagePackHead) throws(MessagePackError) -> Double {
        buffer.moveReaderIndex(forwardBy: 1)
        let value: Double? =
            head.payload == 4
            ? buffer.readInteger(as: UInt32.self).map { Double(Float(bitPattern: $0)) }
            : buffer.readInteger(as: UInt64.self).map(Double.init(bitPattern:))
        guard let value else { throw .incomplete }
        return value
    }

    /// True when the next value is a string or binary.
    package var nextIsBytes: Bool {
        // Without a next value the answer is no.
        guard let head = try? peek() else { return false }
        return head.kind == .string || head.kind == .binary
    }

    /// True when the next value is an array.
    package var nextIsArray: Bool {
        // Without a next value the answer is no.
        (try? peek())?.kind == .array
    }

    /// True when the next value is a map.
    package var nextIsMap: Bool {
        // Without a next value the answer is no.
        (try? peek())?.kind == .map
    }

    /// Passes over one value, whatever it is, and returns its bytes.
    @discardableResult
    package mutating func skip() throws(MessagePackError) -> ByteBuffer {
        var scanner = MessagePackScanner(limit: buffer.readableBytes)
        let length: Int?
        do { length = try scanner.advance(buffer) } catch {
            // Beyond the bytes at hand means incomplete here.
            throw error == .limitExceeded ? .incomplete : error
        }
        guard let length, let slice = buffer.readSlice(length: length) else { throw .incomplete }
        return slice
    }

    private mutating func take(_ kind: MessagePackHead.Kind) throws(MessagePackError) -> MessagePackHead {
        let head = try peek()
        guard head.kind == kind else { throw .unexpectedType }
        // Each element takes a byte at least.
        guard head.children <= buffer.readableBytes - head.size else { throw .incomplete }
        buffer.moveReaderIndex(forwardBy: head.size)
        return head
    }

    private func peek() throws(MessagePackError) -> MessagePackHead {
        guard let head = try MessagePackHead(buffer, at: buffer.readerIndex) else { throw .incomplete }
        guard head.size + head.payload <= buffer.readableBytes else { throw .incomplete }
        return head
    }
}

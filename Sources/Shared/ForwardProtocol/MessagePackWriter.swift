package import NIOCore

/// Writes MessagePack values, each in its shortest form.
package struct MessagePackWriter: Sendable {
    package private(set) var buffer: ByteBuffer

    package init(capacity: Int = 256) {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
    }

    package mutating func writeNil() {
        buffer.writeInteger(0xC0 as UInt8)
    }

    package mutating func write(_ value: Bool) {
        buffer.writeInteger((value ? 0xC3 : 0xC2) as UInt8)
    }

    package mutating func write(_ value: Int64) {
        switch value {
        case -32...127: buffer.writeInteger(Int8(value))
        case 0...255: buffer.writeMultipleIntegers(0xCC as UInt8, UInt8(value))
        case 0...65_535: buffer.writeMultipleIntegers(0xCD as UInt8, UInt16(value))
        case 0...4_294_967_295: buffer.writeMultipleIntegers(0xCE as UInt8, UInt32(value))
        default: buffer.writeMultipleIntegers(0xD3 as UInt8, value)
        }
    }

    package mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            writeStringHeader(bytes.count)
            buffer.writeBytes(bytes)
        }
    }

    /// Writes bytes known to be UTF-8 as a string.
    package mutating func write(utf8 bytes: [UInt8]) {
        writeStringHeader(bytes.count)
        buffer.writeBytes(bytes)
    }

    package mutating func write(binary bytes: ByteBuffer) {
        switch bytes.readableBytes {
        case ...255: buffer.writeMultipleIntegers(0xC4 as UInt8, UInt8(bytes.readableBytes))
        case ...65_535: buffer.writeMultipleIntegers(0xC5 as UInt8, UInt16(bytes.readableBytes))
        default: buffer.writeMultipleIntegers(0xC6 as UInt8, UInt32(bytes.readableBytes))
        }
        buffer.writeImmutableBuffer(bytes)
    }

    package mutating func writeArrayHeader(_ count: Int) {
        switch count {
        case ...15: buffer.writeInteger(0x90 | UInt8(count))
        case ...65_535: buffer.writeMultipleIntegers(0xDC as UInt8, UInt16(count))
        default: buffer.writeMultipleIntegers(0xDD as UInt8, UInt32(count))
        }
    }

    package mutating func writeMapHeader(_ count: Int) {
        switch count {
        case ...15: buffer.writeInteger(0x80 | UInt8(count))
        case ...65_535: buffer.writeMultipleIntegers(0xDE as UInt8, UInt16(count))
        default: buffer.writeMultipleIntegers(0xDF as UInt8, UInt32(count))
        }
    }

    /// Writes the extension value of the forward protocol; a time outside its 32 bits is clamped.
    package mutating func write(_ time: ForwardTime) {
        buffer.writeMultipleIntegers(0xD7 as UInt8, 0 as UInt8, UInt32(clamping: time.seconds), time.nanoseconds)
    }

    /// Appends values that are already encoded.
    package mutating func append(encoded: ByteBuffer) {
        buffer.writeImmutableBuffer(encoded)
    }

    private mutating func writeStringHeader(_ count: Int) {
        switch count {
        case ...31: buffer.writeInteger(0xA0 | UInt8(count))
        case ...255: buffer.writeMultipleIntegers(0xD9 as UInt8, UInt8(count))
        case ...65_535: buffer.writeMultipleIntegers(0xDA as UInt8, UInt16(count))
        default: buffer.writeMultipleIntegers(0xDB as UInt8, UInt32(count))
        }
    }
}

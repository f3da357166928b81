import ForwardProtocol
import NIOCore
import Testing

struct MessagePackTests {
    @Test(arguments: [
        0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, -1, -32, -33, -128, -129, -40_000,
        Int64.max, Int64.min,
    ])
    func integersSurvive(_ value: Int64) throws {
        var writer = MessagePackWriter()
        writer.write(value)
        var reader = MessagePackReader(writer.buffer)
        #expect(try reader.readInteger() == value)
        #expect(reader.isAtEnd)
    }

    @Test func everyIntegerFormIsRead() throws {
        let forms: [([UInt8], Int64)] = [
            ([0xCC, 0xFF], 255), ([0xCD, 1, 0], 256), ([0xCE, 0, 1, 0, 0], 65_536),
            ([0xCF, 0, 0, 0, 0, 0, 0, 0, 7], 7),
            ([0xD0, 0x80], -128), ([0xD1, 0xFF, 0x7F], -129), ([0xD2, 0xFF, 0xFF, 0xFF, 0xFE], -2),
            ([0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFD], -3), ([0xE0], -32), ([0x7F], 127),
        ]
        for (bytes, value) in forms {
            var reader = MessagePackReader(ByteBuffer(bytes: bytes))
            #expect(try reader.readInteger() == value)
        }
    }

    @Test(arguments: [0, 1, 31, 32, 255, 256, 65_535, 65_536, 200_000])
    func stringsAndBinariesOfAnyLengthSurvive(_ length: Int) throws {
        let text = String(repeating: "x", count: length)
        var writer = MessagePackWriter()
        writer.write(text)
        writer.write(binary: ByteBuffer(string: text))
        var reader = MessagePackReader(writer.buffer)
        #expect(try reader.readString() == text)
        #expect(try reader.readBytes() == ByteBuffer(string: text))
    }

    @Test(arguments: [0, 15, 16, 65_535, 65_536])
    func headersOfArraysAndMapsSurvive(_ count: Int) throws {
        var writer = MessagePackWriter()
        writer.writeArrayHeader(count)
        for _ in 0..<count { writer.writeNil() }
        writer.writeMapHeader(count)
        for _ in 0..<count * 2 { writer.writeNil() }
        var reader = MessagePackReader(writer.buffer)
        #expect(try reader.readArrayHeader() == count)
        for _ in 0..<count { try reader.skip() }
        #expect(try reader.readMapHeader() == count)
    }

    @Test func timesAreReadInEveryForm() throws {
        let expected = ForwardTime(seconds: 1_700_000_000, nanoseconds: 5)
        for bytes: [UInt8] in [
            [0xD7, 0x00, 0x65, 0x53, 0xF1, 0x00, 0, 0, 0, 5], [0xC7, 0x08, 0x00, 0x65, 0x53, 0xF1, 0x00, 0, 0, 0, 5],
        ] {
            var reader = MessagePackReader(ByteBuffer(bytes: bytes))
            #expect(try reader.readTime() == expected)
        }
        var integer = MessagePackReader(ByteBuffer(bytes: [0xCE, 0x65, 0x53, 0xF1, 0x00]))
        #expect(try integer.readTime() == ForwardTime(seconds: 1_700_000_000, nanoseconds: 0))
        var float = MessagePackReader(ByteBuffer(bytes: [0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0]))
        #expect(try float.readTime().seconds == 0)
    }

    @Test func invalidTextIsRepaired() throws {
        var reader = MessagePackReader(ByteBuffer(bytes: [0xA3, 0x61, 0xFF, 0x62]))
        #expect(try reader.readString() == "a\u{FFFD}b")
    }

    @Test(
        arguments: [
            ([0xC1], MessagePackError.malformed), ([0xDD, 0xFF, 0xFF, 0xFF, 0xFF], .incomplete),
            ([0xDF, 0xFF, 0xFF, 0xFF, 0xFF], .incomplete), ([0xDB, 0xFF, 0xFF, 0xFF, 0xFF], .incomplete),
            ([0x92, 0xC0], .incomplete), ([], .incomplete),
        ] as [([UInt8], MessagePackError)])
    func brokenValuesAreErrors(_ bytes: [UInt8], _ error: MessagePackError) {
        var reader = MessagePackReader(ByteBuffer(bytes: bytes))
        #expect(throws: error) { try reader.skip() }
    }

    @Test func scannerRefusesDepthAndSize() {
        let deep = ByteBuffer(bytes: [UInt8](repeating: 0x91, count: 100_000))
        #expect(throws: MessagePackError.limitExceeded) {
            var scanner = MessagePackScanner(limit: 1 << 20)
            _ = try scanner.advance(deep)
        }
        #expect(throws: MessagePackError.limitExceeded) {
            var scanner = MessagePackScanner(limit: 1000)
            _ = try scanner.advance(ByteBuffer(bytes: [0xC6, 0, 0, 4, 0]))
        }
        #expect(throws: MessagePackError.limitExceeded) {
            var scanner = MessagePackScanner(limit: 1000)
            _ = try scanner.advance(ByteBuffer(bytes: [0xDD, 0x7F, 0, 0, 0]))
        }
    }

    @Test func randomBytesNeverCrash() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let buffer = ByteBuffer(bytes: bytes)
            var scanner = MessagePackScanner(limit: 4096)
            let length = try? scanner.advance(buffer)
            if let length = length.flatMap(\.self) { #expect(length > 0 && length <= bytes.count) }
            var reader = MessagePackReader(buffer)
            _ = try? reader.readTime()
            _ = try? reader.readString()
            _ = try? reader.readMapHeader()
            _ = try? reader.skip()
            _ = try? ContainerLogRecord(buffer)
        }
    }
}

/// A repeatable source of random numbers (xorshift).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

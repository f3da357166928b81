import ForwardProtocol
import NIOCore
import Testing

struct ForwardDecoderTests {
    /// `["app.web", [[1441588984, {"log": "a"}], [1441588985, {"log": "b"}]], {"chunk": "c1", "size": 2}]`,
    /// as written by the reference implementation of MessagePack.
    private static let forward = bytes(
        "93a76170702e7765629292ce55ece6f881a36c6f67a16192ce55ece6f981a36c6f67a16282a56368756e6ba26331a473697a6502")
    /// `["app.web", 1441588984, {"log": "a"}, {"chunk": "c2"}]`
    private static let message = bytes("94a76170702e776562ce55ece6f881a36c6f67a16181a56368756e6ba26332")
    /// `["app.web", <bin: the two events of `forward`>, {"compressed": "text", "chunk": "c3", "extra": [1, {}]}]`
    private static let packed = bytes(
        "93a76170702e776562c41a92ce55ece6f881a36c6f67a16192ce55ece6f981a36c6f67a16283aa636f6d70726573736564a474657874a5"
            + "6368756e6ba26333a565787472619201" + "80")
    /// The same with the events in a string, as old senders do, and without options.
    private static let packedString = bytes(
        "92a76170702e776562ba92ce55ece6f881a36c6f67a16192ce55ece6f981a36c6f67a162")

    struct Sample: CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let mode: ForwardMessage.Mode
        let chunk: String?
        let lines: [String]
        var testDescription: String { name }
    }

    static let samples = [
        Sample(name: "forward", bytes: forward, mode: .forward, chunk: "c1", lines: ["a", "b"]),
        Sample(name: "message", bytes: message, mode: .message, chunk: "c2", lines: ["a"]),
        Sample(name: "packed", bytes: packed, mode: .packedForward, chunk: "c3", lines: ["a", "b"]),
        Sample(name: "packed string", bytes: packedString, mode: .packedForward, chunk: nil, lines: ["a", "b"]),
    ]

    @Test(arguments: samples)
    func everyModeIsUnderstood(_ sample: Sample) throws {
        var decoder = ForwardDecoder()
        decoder.append(ByteBuffer(bytes: sample.bytes))
        let message = try #require(try decoder.next())
        #expect(message.tag == "app.web")
        #expect(message.mode == sample.mode)
        #expect(message.chunk == sample.chunk)
        #expect(try Self.lines(message) == sample.lines)
        #expect(try decoder.next() == nil)
        #expect(decoder.pendingBytes == 0)
    }

    @Test func bytesArrivingOneByOneGiveTheSameMessages() throws {
        var decoder = ForwardDecoder()
        var chunks: [String?] = []
        for byte in Self.samples.flatMap(\.bytes) + [0xC0] + Self.message {
            decoder.append(ByteBuffer(bytes: [byte]))
            while let message = try decoder.next() {
                chunks.append(message.chunk)
                _ = try Self.lines(message)
            }
        }
        #expect(chunks == ["c1", "c2", "c3", nil, "c2"])
    }

    @Test func manyMessagesInOneBufferAreAllFound() throws {
        var decoder = ForwardDecoder()
        var all = ByteBuffer()
        for _ in 0..<1000 { all.writeBytes(Self.forward) }
        decoder.append(all)
        var count = 0
        while try decoder.next() != nil { count += 1 }
        #expect(count == 1000)
    }

    @Test func compressedBatchesAreRefusedByName() {
        var writer = MessagePackWriter()
        writer.writeArrayHeader(3)
        writer.write("app.web")
        writer.write(binary: ByteBuffer(bytes: [0x1F, 0x8B]))
        writer.writeMapHeader(1)
        writer.write("compressed")
        writer.write("gzip")
        var decoder = ForwardDecoder()
        decoder.append(writer.buffer)
        #expect(throws: ForwardError.compressionUnsupported("gzip")) { try decoder.next() }
    }

    @Test(arguments: ["c3", "80", "93a1610102", "91a161", "94a161c3c3c3", "00"])
    func otherValuesAreNoMessages(_ hex: String) {
        var decoder = ForwardDecoder()
        decoder.append(ByteBuffer(bytes: Self.bytes(hex)))
        #expect(throws: ForwardError.notAMessage) {
            while let message = try decoder.next() {
                var entries = message.entries
                do { while try entries.next() != nil {} } catch { throw ForwardError.notAMessage }
            }
        }
    }

    @Test func tooLargeAMessageIsRefusedBeforeItArrives() {
        var decoder = ForwardDecoder(limit: 1000)
        decoder.append(ByteBuffer(bytes: [0x93, 0xA1, 0x61, 0xC6, 0x7F, 0, 0, 0]))
        #expect(throws: ForwardError.encoding(.limitExceeded)) { try decoder.next() }
    }

    @Test func goodEventsBeforeABrokenOneAreKept() throws {
        var decoder = ForwardDecoder()
        decoder.append(ByteBuffer(bytes: Self.bytes("92a161c40e92ce55ece6f881a36c6f67a16192")))
        let message = try #require(try decoder.next())
        var entries = message.entries
        let first = try #require(try entries.next())
        #expect(try ContainerLogRecord(first.record).log == "a")
        #expect(throws: MessagePackError.self) { try entries.next() }
    }

    @Test func encodedBatchIsDecodedAgain() throws {
        let record = ContainerLogRecord(
            log: "grün \u{0} \u{1F600}", stream: "stderr", time: "2026-01-02T03:04:05.123456789Z", namespace: "shop",
            pod: "shop-web-5f7c9d8b6d-x2x4k", container: "shop-web", labels: ["app": "shop", "type": "web"],
            isPartial: true)
        var builder = PackedForwardBuilder()
        for second in 0..<100 { builder.append(.init(seconds: Int64(second), nanoseconds: 7), record) }
        var decoder = ForwardDecoder()
        decoder.append(builder.message(tag: "app.shop", chunk: "id"))
        let message = try #require(try decoder.next())
        #expect(message.size == 100 && message.chunk == "id" && message.tag == "app.shop")
        var entries = message.entries
        for second in 0..<100 {
            let entry = try #require(try entries.next())
            #expect(entry.time == .init(seconds: Int64(second), nanoseconds: 7))
            #expect(try ContainerLogRecord(entry.record) == record)
        }
        #expect(try entries.next() == nil)
    }

    @Test func acknowledgementsAreReadBack() throws {
        var decoder = ForwardAcknowledgementDecoder()
        var wire = ForwardAcknowledgement.encode("first")
        wire.writeImmutableBuffer(ForwardAcknowledgement.encode("second"))
        var found: [String] = []
        for byte in wire.readableBytesView {
            decoder.append(ByteBuffer(bytes: [byte]))
            if let chunk = try decoder.next() { found.append(chunk) }
        }
        #expect(found == ["first", "second"])
    }

    @Test func damagedMessagesNeverCrash() {
        var random = SeededGenerator(seed: 11)
        for round in 0..<20_000 {
            var bytes = Self.samples[round % Self.samples.count].bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var decoder = ForwardDecoder(limit: 4096)
            decoder.append(ByteBuffer(bytes: bytes))
            while let message = (try? decoder.next()).flatMap(\.self) {
                var entries = message.entries
                while let entry = (try? entries.next()).flatMap(\.self) { _ = try? ContainerLogRecord(entry.record) }
            }
            var acknowledgements = ForwardAcknowledgementDecoder()
            acknowledgements.append(ByteBuffer(bytes: bytes))
            _ = try? acknowledgements.next()
        }
    }

    private static func lines(_ message: ForwardMessage) throws -> [String] {
        var lines: [String] = []
        var entries = message.entries
        while let entry = try entries.next() { lines.append(try ContainerLogRecord(entry.record).log) }
        return lines
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        var digits = hex.utf8.makeIterator()
        var bytes: [UInt8] = []
        while let high = digits.next(), let low = digits.next() {
            bytes.append(UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16) ?? 0)
        }
        return bytes
    }
}

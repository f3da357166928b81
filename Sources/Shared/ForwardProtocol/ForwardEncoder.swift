package import NIOCore

/// Collects events and makes one PackedForward message of them.
package struct PackedForwardBuilder: Sendable {
    private var events = MessagePackWriter(capacity: 64 << 10)
    package private(set) var count = 0

    package init() {}

    /// Bytes of the events so far.
    package var byteCount: Int { events.buffer.readableBytes }

    package mutating func append(_ time: ForwardTime, _ record: ContainerLogRecord) {
        events.writeArrayHeader(2)
        events.write(time)
        record.encode(into: &events)
        count += 1
    }

    /// Appends a line of a container whose origin is encoded already. Bytes that are not UTF-8 become replacement
    /// characters.
    package mutating func append(
        _ time: ForwardTime, text: [UInt8], isStderr: Bool, isPartial: Bool, origin: EncodedOrigin
    ) {
        events.writeArrayHeader(2)
        events.write(time)
        events.writeMapHeader(isPartial ? 5 : 4)
        events.write("log")
        if String(validating: text, as: UTF8.self) != nil {
            events.write(utf8: text)
        } else {
            events.write(String(decoding: text, as: UTF8.self))
        }
        events.write("stream")
        events.write(isStderr ? "stderr" : "stdout")
        events.write("time")
        events.write(time.rfc3339)
        if isPartial {
            events.write("partial")
            events.write(true)
        }
        events.append(encoded: origin.bytes)
        count += 1
    }

    /// The whole message, asking for an acknowledgement of `chunk`.
    package func message(tag: String, chunk: String) -> ByteBuffer {
        var message = MessagePackWriter(capacity: byteCount + 256)
        message.writeArrayHeader(3)
        message.write(tag)
        message.write(binary: events.buffer)
        message.writeMapHeader(2)
        message.write("chunk")
        message.write(chunk)
        message.write("size")
        message.write(Int64(count))
        return message.buffer
    }
}

/// The `kubernetes` member of a record, the same for every line of a container and so encoded once.
package struct EncodedOrigin: Sendable {
    let bytes: ByteBuffer

    package init(namespace: String, pod: String, container: String, labels: [String: String]) {
        var writer = MessagePackWriter()
        writer.write("kubernetes")
        ContainerLogRecord(
            log: "", stream: "", time: "", namespace: namespace, pod: pod, container: container, labels: labels
        ).encodeOrigin(into: &writer)
        bytes = writer.buffer
    }
}

/// The receiver's answer that it has taken responsibility for a batch.
package enum ForwardAcknowledgement {
    package static func encode(_ chunk: String) -> ByteBuffer {
        var writer = MessagePackWriter(capacity: chunk.utf8.count + 16)
        writer.writeMapHeader(1)
        writer.write("ack")
        writer.write(chunk)
        return writer.buffer
    }
}

/// Takes the bytes a receiver sends back and gives the chunks it acknowledges.
package struct ForwardAcknowledgementDecoder: Sendable {
    private static let limit = 4096
    private var buffer = ByteBuffer()
    private var scanner = MessagePackScanner(limit: limit)

    package init() {}

    package mutating func append(_ bytes: ByteBuffer) {
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next acknowledged chunk, or nil until more bytes come.
    package mutating func next() throws(ForwardError) -> String? {
        guard buffer.readableBytes > 0 else { return nil }
        do {
            guard let length = try scanner.advance(buffer), let value = buffer.readSlice(length: length) else {
                return nil
            }
            buffer.discardReadBytes()
            scanner = MessagePackScanner(limit: Self.limit)
            var reader = MessagePackReader(value)
            for _ in 0..<(try reader.readMapHeader()) {
                if try reader.readString() == "ack" { return try reader.readString() }
                try reader.skip()
            }
        } catch {
            throw .encoding(error)
        }
        throw .notAMessage
    }
}

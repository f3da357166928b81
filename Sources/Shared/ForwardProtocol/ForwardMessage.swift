package import NIOCore

/// One message of the forward protocol: events under one tag, perhaps with the wish for an acknowledgement.
package struct ForwardMessage: Sendable {
    /// How the sender packed its events.
    package enum Mode: Sendable, Equatable {
        case message, forward, packedForward
    }

    package let mode: Mode
    package let tag: String
    /// The events, one `[time, record]` after the other, whatever the mode.
    package let packed: ByteBuffer
    /// The identity of the batch; its sender resends it until this is acknowledged.
    package let chunk: String?
    /// How many events the sender says there are.
    package let size: Int?

    /// The events in order. A broken event ends the iteration with an error; those before it are good.
    package var entries: Entries { Entries(reader: MessagePackReader(packed)) }

    package struct Entries: Sendable {
        private var reader: MessagePackReader

        init(reader: MessagePackReader) {
            self.reader = reader
        }

        package mutating func next() throws(MessagePackError) -> ForwardEntry? {
            guard !reader.isAtEnd else { return nil }
            // A third member carries metadata, which nothing here uses.
            let count = try reader.readArrayHeader()
            guard count >= 2 else { throw .unexpectedType }
            let time = try reader.readTime()
            guard reader.nextIsMap else { throw .unexpectedType }
            let record = try reader.skip()
            for _ in 2..<count { try reader.skip() }
            return ForwardEntry(time: time, record: record)
        }
    }
}

/// One event: its time and the still encoded map that is its record.
package struct ForwardEntry: Sendable {
    package let time: ForwardTime
    package let record: ByteBuffer
}

/// Why a stream of the forward protocol cannot be read further.
package enum ForwardError: Error, Equatable, Sendable {
    /// The bytes are not MessagePack, or larger or deeper than allowed.
    case encoding(MessagePackError)
    /// MessagePack, but no message of the protocol.
    case notAMessage
    /// The sender compresses its batches; it must be told not to.
    case compressionUnsupported(String)
}

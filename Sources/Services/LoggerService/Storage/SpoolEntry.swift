import ForwardProtocol
import NIOCore

/// One thing that happened to the store, as the spool remembers it.
package enum SpoolEntry: Sendable {
    /// Everything before is replaced by what follows.
    case snapshot
    /// Identities of batches, oldest first.
    case chunks([String])
    /// An app starts without lines; its next line has this number.
    case app(AppKey, nextSequence: UInt64)
    case batch(IngestBatch)
    case remove(AppKey)

    private enum Kind: Int64 {
        case snapshot, chunks, app, batch, remove
    }

    func encode() -> ByteBuffer {
        var writer = MessagePackWriter(capacity: 4096)
        switch self {
        case .snapshot: writer.write(Kind.snapshot.rawValue)
        case .chunks(let all):
            writer.write(Kind.chunks.rawValue)
            writer.writeArrayHeader(all.count)
            for chunk in all { writer.write(chunk) }
        case .app(let app, let nextSequence):
            writer.write(Kind.app.rawValue)
            writer.write(app.text)
            writer.write(Int64(nextSequence))
        case .batch(let batch):
            writer.write(Kind.batch.rawValue)
            Self.write(batch, &writer)
        case .remove(let app):
            writer.write(Kind.remove.rawValue)
            writer.write(app.text)
        }
        return writer.buffer
    }

    private static func write(_ batch: IngestBatch, _ writer: inout MessagePackWriter) {
        writer.write(batch.chunk ?? "")
        writer.writeArrayHeader(batch.runs.count)
        for run in batch.runs {
            let source = run.source
            for text in [run.app.text, source.type, source.version, source.pod, source.container, source.label ?? ""] {
                writer.write(text)
            }
            writer.writeArrayHeader(run.lines.count)
            for line in run.lines {
                writer.write(line.time.seconds)
                writer.write(Int64(line.time.nanoseconds))
                writer.write((line.stream == .stderr ? 1 : 0) | (line.isPartial ? 2 : 0) as Int64)
                writer.write(line.text)
            }
        }
    }

    /// Reads an entry back; anything this version does not know is an error.
    init(_ bytes: ByteBuffer) throws {
        var reader = MessagePackReader(bytes)
        switch Kind(rawValue: try reader.readInteger()) {
        case .snapshot: self = .snapshot
        case .chunks:
            let count = try reader.readArrayHeader()
            self = .chunks(try (0..<count).map { _ in try reader.readString() })
        case .app:
            self = .app(try AppKey(reader.readString()), nextSequence: UInt64(max(1, try reader.readInteger())))
        case .batch: self = .batch(try Self.readBatch(&reader))
        case .remove: self = .remove(try AppKey(reader.readString()))
        case nil: throw MessagePackError.malformed
        }
    }

    private static func readBatch(_ reader: inout MessagePackReader) throws -> IngestBatch {
        let chunk = try reader.readString()
        var batch = IngestBatch(chunk: chunk.isEmpty ? nil : chunk)
        for _ in 0..<(try reader.readArrayHeader()) {
            let app = try AppKey(reader.readString())
            var source = LogSource(
                type: try reader.readString(), version: try reader.readString(), pod: try reader.readString(),
                container: try reader.readString())
            let label = try reader.readString()
            source.label = label.isEmpty ? nil : label
            for _ in 0..<(try reader.readArrayHeader()) {
                let time = ForwardTime(
                    seconds: try reader.readInteger(), nanoseconds: UInt32(clamping: try reader.readInteger()))
                let flags = try reader.readInteger()
                let line = IncomingLine(
                    time: time, stream: flags & 1 == 1 ? .stderr : .stdout, isPartial: flags & 2 == 2,
                    text: try reader.readString())
                batch.append(line, app: app, source: source)
            }
        }
        return batch
    }
}

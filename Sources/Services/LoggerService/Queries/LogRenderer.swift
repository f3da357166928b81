import ForwardProtocol
import FoundationEssentials
package import NIOCore
import ServiceHTTP

/// Writes lines the way a reader asked for.
package struct LogRenderer: Sendable {
    let app: AppKey
    let format: LogQuery.Format

    package init(app: AppKey, format: LogQuery.Format) {
        self.app = app
        self.format = format
    }

    package var contentType: String {
        format == .text ? "text/plain; charset=utf-8" : "application/x-ndjson"
    }

    package func render(_ lines: [LogLine]) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: lines.count * 160)
        switch format {
        case .text: for line in lines { write(line, &buffer) }
        case .json: for line in lines { try write(json: JSONLine(app: app, line: line), &buffer) }
        }
        return buffer
    }

    package func render(_ event: Follower.Event) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        switch (event, format) {
        case (.lines(let lines), _): return try render(lines)
        case (.dropped(let count), .text): buffer.writeString("*** \(count) lines dropped: this reader is too slow\n")
        case (.dropped(let count), .json): try write(json: ["dropped": count], &buffer)
        // A record is never an empty line, so readers can tell the two apart.
        case (.heartbeat, .text): buffer.writeString("\n")
        case (.heartbeat, .json): try write(json: ["heartbeat": true], &buffer)
        }
        return buffer
    }

    /// `2024-03-01T10:02:03+00:00 shop[web.v3.7q2xk]: text`
    private func write(_ line: LogLine, _ buffer: inout ByteBuffer) {
        buffer.writeString(line.line.time.civil)
        buffer.writeString("+00:00 ")
        buffer.writeString(line.source.title(of: app))
        buffer.writeString(": ")
        buffer.writeString(line.line.text)
        buffer.writeString("\n")
    }

    private func write(json value: some Encodable, _ buffer: inout ByteBuffer) throws {
        buffer.writeBytes(try JSONCoding.encoder.encode(value))
        buffer.writeString("\n")
    }
}

/// A line in the `json` format.
private struct JSONLine: Encodable {
    let sequence: UInt64
    let time: String
    let app: String
    let source: String
    let type: String?
    let version: String?
    let pod: String?
    let container: String?
    let stream: String
    let partial: Bool?
    let text: String

    init(app: AppKey, line: LogLine) {
        sequence = line.sequence
        time = line.line.time.rfc3339
        self.app = app.text
        source = line.source.title(of: app)
        type = line.source.type.isEmpty ? nil : line.source.type
        version = line.source.version.isEmpty ? nil : line.source.version
        pod = line.source.pod.isEmpty ? nil : line.source.pod
        container = line.source.container.isEmpty ? nil : line.source.container
        stream = line.line.stream.rawValue
        partial = line.line.isPartial ? true : nil
        text = line.line.text
    }
}

import FoundationEssentials
import Glibc
package import Logging

/// How a process logs.
///
/// - `LOG_LEVEL`: trace, debug, info (default), notice, warning, error, critical.
/// - `LOG_FORMAT`: `text` (default) or `json`, one object a line.
package struct LoggingConfiguration: Sendable {
    package enum Format: String, CaseIterable, Sendable {
        case text, json
    }

    package let level: Logger.Level
    package let format: Format

    package init(reader: inout ConfigurationReader) {
        level = reader.choice("LOG_LEVEL", default: Logger.Level.info)
        format = reader.choice("LOG_FORMAT", default: Format.text)
    }
}

/// Writes one line a record to standard error, in one write so that lines of several threads do not mix.
package struct LineLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let format: LoggingConfiguration.Format

    package init(label: String, configuration: LoggingConfiguration) {
        self.label = label
        logLevel = configuration.level
        format = configuration.format
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let merged = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let line: String
        switch format {
        case .text: line = text(time, event, merged)
        case .json: line = json(time, event, merged)
        }
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        bytes.withUnsafeBytes { buffer in
            // A log line that cannot be written has nowhere to be reported.
            _ = write(STDERR_FILENO, buffer.baseAddress, buffer.count)
        }
    }

    private func text(
        _ time: String, _ event: LogEvent, _ metadata: [(key: String, value: Logger.Metadata.Value)]
    ) -> String {
        let pairs = metadata.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
        return "\(time) \(event.level.rawValue.uppercased()) \(label): \(event.message)\(pairs)"
    }

    private func json(
        _ time: String, _ event: LogEvent, _ metadata: [(key: String, value: Logger.Metadata.Value)]
    ) -> String {
        let fields = [
            ("time", time), ("level", event.level.rawValue), ("service", label), ("message", "\(event.message)"),
        ]
        let all = fields + metadata.map { ($0.key, "\($0.value)") }
        return "{" + all.map { "\(Self.jsonString($0.0)):\(Self.jsonString($0.1))" }.joined(separator: ",") + "}"
    }

    /// Quotes a value that would break the line apart.
    private static func quoted(_ text: String) -> String {
        text.contains { $0.isWhitespace || $0 == "\"" || $0.isNewline } || text.isEmpty ? jsonString(text) : text
    }

    private static func jsonString(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

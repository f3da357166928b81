import ForwardProtocol
import PlatformModel

/// One line of `POST /ingest`: either an event of the platform or a container's line as the shipper writes it.
struct IngestRecord: Decodable {
    private let app: String?
    private let time: String?
    private let source: String?
    private let level: String?
    private let text: String?
    private let log: String?
    private let stream: String?
    private let kubernetes: Origin?

    private struct Origin: Decodable {
        let namespace: String?
        let pod: String?
        let container: String?
        let labels: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case namespace = "namespace_name"
            case pod = "pod_name"
            case container = "container_name"
            case labels
        }
    }

    /// Adds the line to the batch.
    /// - Parameter now: the time of a record without one.
    func add(to batch: inout IngestBatch, now: ForwardTime) throws(InvalidValue) {
        guard let key = kubernetes?.namespace ?? app else {
            throw InvalidValue(kind: "record", message: "A record needs an app.")
        }
        guard var content = text ?? log else {
            throw InvalidValue(kind: "record", message: "A record needs a text.")
        }
        if let level, !level.isEmpty { content = "\(level) \(content)" }
        let line = IncomingLine(
            time: try parsedTime() ?? now, stream: stream.flatMap(OutputStream.init(rawValue:)) ?? .stdout,
            text: LineText.clean(content))
        batch.append(line, app: try AppKey(key), source: try logSource())
    }

    private func parsedTime() throws(InvalidValue) -> ForwardTime? {
        guard let time else { return nil }
        guard let parsed = ForwardTime(rfc3339: time) else {
            throw InvalidValue(kind: "time", message: "The time of a record is RFC 3339.")
        }
        return parsed
    }

    private func logSource() throws(InvalidValue) -> LogSource {
        if let source {
            let isPrintable = source.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F }
            guard isPrintable, (1...128).contains(source.utf8.count) else {
                throw InvalidValue(kind: "source", message: "A source is 1 to 128 printable characters without spaces.")
            }
            return LogSource(label: source)
        }
        return LogSource(
            type: kubernetes?.labels?["type"] ?? "", version: kubernetes?.labels?["version"] ?? "",
            pod: kubernetes?.pod ?? "", container: kubernetes?.container ?? "")
    }
}

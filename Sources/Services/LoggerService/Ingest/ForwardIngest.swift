import ForwardProtocol

/// Turns messages of the forward protocol into batches of lines.
///
/// Lines are filed under the namespace of their container. The label `app`, which any pod can set, is not believed.
struct ForwardIngest {
    /// How many events of a message could not be used, by reason.
    struct Rejected: Equatable {
        var malformed = 0
        var withoutApp = 0
    }

    static func batch(of message: ForwardMessage) -> (batch: IngestBatch, rejected: Rejected) {
        var batch = IngestBatch(chunk: message.chunk)
        var rejected = Rejected()
        var entries = message.entries
        while true {
            do {
                guard let entry = try entries.next() else { break }
                add(try ContainerLogRecord(entry.record), at: entry.time, to: &batch, &rejected)
            } catch {
                // What follows a broken event cannot be found.
                rejected.malformed += 1
                break
            }
        }
        return (batch, rejected)
    }

    private static func add(
        _ record: ContainerLogRecord, at time: ForwardTime, to batch: inout IngestBatch, _ rejected: inout Rejected
    ) {
        do {
            let app = try AppKey(record.namespace)
            let source = LogSource(
                type: record.labels["type"] ?? "", version: record.labels["version"] ?? "", pod: record.pod,
                container: record.container)
            let line = IncomingLine(
                time: ForwardTime(rfc3339: record.time) ?? time,
                stream: OutputStream(rawValue: record.stream) ?? .stdout,
                isPartial: record.isPartial, text: LineText.clean(record.log))
            batch.append(line, app: app, source: source)
        } catch {
            rejected.withoutApp += 1
        }
    }
}

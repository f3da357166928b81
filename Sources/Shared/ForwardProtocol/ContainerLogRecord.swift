package import NIOCore

/// One line of a container's output with where it comes from: the record shipper and logger agree on.
package struct ContainerLogRecord: Sendable, Equatable {
    /// The text of the line, without its line end.
    package var log: String
    /// `stdout` or `stderr`.
    package var stream: String
    /// RFC 3339 with nanoseconds, as the container runtime wrote it.
    package var time: String
    package var namespace: String
    package var pod: String
    package var container: String
    /// The labels `app`, `type` and `version`, as far as they are known.
    package var labels: [String: String]
    /// The line was cut or never finished.
    package var isPartial: Bool

    package init(
        log: String, stream: String, time: String, namespace: String, pod: String, container: String,
        labels: [String: String] = [:], isPartial: Bool = false
    ) {
        self.log = log
        self.stream = stream
        self.time = time
        self.namespace = namespace
        self.pod = pod
        self.container = container
        self.labels = labels
        self.isPartial = isPartial
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.writeMapHeader(isPartial ? 5 : 4)
        writer.write("log")
        writer.write(log)
        writer.write("stream")
        writer.write(stream)
        writer.write("time")
        writer.write(time)
        if isPartial {
            writer.write("partial")
            writer.write(true)
        }
        writer.write("kubernetes")
        encodeOrigin(into: &writer)
    }

    func encodeOrigin(into writer: inout MessagePackWriter) {
        writer.writeMapHeader(4)
        writer.write("namespace_name")
        writer.write(namespace)
        writer.write("pod_name")
        writer.write(pod)
        writer.write("container_name")
        writer.write(container)
        writer.write("labels")
        writer.writeMapHeader(labels.count)
        for (name, value) in labels.sorted(by: { $0.key < $1.key }) {
            writer.write(name)
            writer.write(value)
        }
    }

    /// Reads the record of an event; missing members are empty, unknown ones and those of another type are ignored.
    package init(_ record: ByteBuffer) throws(MessagePackError) {
        self.init(log: "", stream: "", time: "", namespace: "", pod: "", container: "")
        var reader = MessagePackReader(record)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try Self.key(&reader) {
            case "log" where reader.nextIsBytes: log = try reader.readString()
            case "stream" where reader.nextIsBytes: stream = try reader.readString()
            case "time" where reader.nextIsBytes: time = try reader.readString()
            case "partial": isPartial = try reader.skip().readableBytesView.elementsEqual([0xC3])
            case "kubernetes" where reader.nextIsMap: try readOrigin(&reader)
            default: try reader.skip()
            }
        }
    }

    private mutating func readOrigin(_ reader: inout MessagePackReader) throws(MessagePackError) {
        for _ in 0..<(try reader.readMapHeader()) {
            switch try Self.key(&reader) {
            case "namespace_name" where reader.nextIsBytes: namespace = try reader.readString()
            case "pod_name" where reader.nextIsBytes: pod = try reader.readString()
            case "container_name" where reader.nextIsBytes: container = try reader.readString()
            case "labels" where reader.nextIsMap: try readLabels(&reader)
            default: try reader.skip()
            }
        }
    }

    private mutating func readLabels(_ reader: inout MessagePackReader) throws(MessagePackError) {
        for _ in 0..<(try reader.readMapHeader()) {
            let name = try Self.key(&reader)
            if let name, ["app", "type", "version"].contains(name), reader.nextIsBytes {
                labels[name] = try reader.readString()
            } else {
                try reader.skip()
            }
        }
    }

    private static func key(_ reader: inout MessagePackReader) throws(MessagePackError) -> String? {
        if reader.nextIsBytes { return try reader.readString() }
        try reader.skip()
        return nil
    }
}

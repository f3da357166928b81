package import ForwardProtocol

/// Which of a process's outputs a line was written to.
package enum OutputStream: String, Sendable, CaseIterable {
    case stdout, stderr
}

/// The process, or the part of the platform, that wrote a line.
package struct LogSource: Sendable, Hashable {
    package var type: String
    package var version: String
    package var pod: String
    package var container: String
    /// Stands in the place of `app[type.version.pod]` for lines of the platform itself, such as `drycc[controller]`.
    package var label: String?

    package init(
        type: String = "", version: String = "", pod: String = "", container: String = "", label: String? = nil
    ) {
        self.type = type
        self.version = version
        self.pod = pod
        self.container = container
        self.label = label
    }

    /// What stands between the time and the text of a line.
    package func title(of app: AppKey) -> String {
        label ?? "\(app)[\([type, version, podSuffix].filter { !$0.isEmpty }.joined(separator: "."))]"
    }

    /// The random end of a pod's name, or the whole name when it is not built of at least four parts.
    package var podSuffix: String {
        let parts = pod.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, let last = parts.last, !last.isEmpty else { return pod }
        return String(last)
    }
}

/// One line as it comes in.
package struct IncomingLine: Sendable, Equatable {
    package var time: ForwardTime
    package var stream: OutputStream
    package var isPartial: Bool
    package var text: String

    package init(time: ForwardTime, stream: OutputStream = .stdout, isPartial: Bool = false, text: String) {
        self.time = time
        self.stream = stream
        self.isPartial = isPartial
        self.text = text
    }
}

/// One line as it is kept, with its place in the order of its app.
package struct LogLine: Sendable, Equatable {
    /// Rises by one with each line of the app, also over restarts with a spool.
    package let sequence: UInt64
    package let source: LogSource
    package let line: IncomingLine
}

/// Lines that arrived together and are stored together or not at all.
package struct IngestBatch: Sendable {
    /// Consecutive lines of one source.
    package struct Run: Sendable {
        package let app: AppKey
        package let source: LogSource
        package var lines: [IncomingLine]

        package init(app: AppKey, source: LogSource, lines: [IncomingLine]) {
            self.app = app
            self.source = source
            self.lines = lines
        }
    }

    /// The identity under which the sender repeats the batch until it hears of its success.
    package let chunk: String?
    package private(set) var runs: [Run] = []

    package init(chunk: String?) {
        self.chunk = chunk
    }

    package mutating func append(_ line: IncomingLine, app: AppKey, source: LogSource) {
        if let last = runs.indices.last, runs[last].app == app, runs[last].source == source {
            runs[last].lines.append(line)
        } else {
            runs.append(Run(app: app, source: source, lines: [line]))
        }
    }

    package var lineCount: Int { runs.reduce(0) { $0 + $1.lines.count } }
}

package import ForwardProtocol
package import Hummingbird
package import ServiceHTTP

/// Which lines a reader wants; unset members want all.
package struct LogFilter: Sendable {
    package var since: ForwardTime?
    package var until: ForwardTime?
    package var types: Set<String> = []
    package var pod: String?
    package var container: String?
    package var stream: OutputStream?

    package init() {}

    func matches(_ line: LogLine) -> Bool {
        if let since, line.line.time < since { return false }
        if let until, line.line.time > until { return false }
        if !types.isEmpty, !types.contains(line.source.type) { return false }
        if let pod, line.source.pod != pod, line.source.podSuffix != pod { return false }
        if let container, line.source.container != container { return false }
        if let stream, line.line.stream != stream { return false }
        return true
    }
}

/// A request for lines.
package struct LogQuery: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    package var filter = LogFilter()
    /// The newest so many.
    package var lines: Int
    package var follow = false
    /// When a stream ends by itself.
    package var timeout: Duration
    package var format = Format.text

    package init(lines: Int, timeout: Duration = .seconds(300)) {
        self.lines = lines
        self.timeout = timeout
    }

    /// Reads the parameters of a request.
    ///
    /// As ever, a number of lines or seconds that cannot be read is not an error but the largest allowed.
    /// - Throws: ``APIError`` with `.badRequest` for parameters newer than that which cannot be read.
    package init(_ parameters: Parameters, limits: QueryLimits) throws(APIError) {
        func parameter(_ name: Substring) -> String? { parameters[name].map(String.init) }
        lines = parameter("log_lines").map { Self.number($0, cap: limits.maximumLines) } ?? limits.defaultLines
        follow = ["true", "1", "yes"].contains(parameter("follow")?.lowercased())
        let cap = Int(limits.maximumTimeout.components.seconds)
        timeout = .seconds(parameter("timeout").map { Self.number($0, cap: cap) } ?? cap)
        format = try Self.choice("format", parameter("format")) ?? .text
        filter.stream = try Self.choice("stream", parameter("stream"))
        filter.since = try Self.time("since", parameter("since"))
        filter.until = try Self.time("until", parameter("until"))
        filter.types = Set(parameter("ptype").map { $0.split(separator: ",").map(String.init) } ?? [])
        filter.pod = parameter("pod")
        filter.container = parameter("container")
    }

    private static func number(_ text: String, cap: Int) -> Int {
        guard let number = Int(text), number >= 0 else { return cap }
        return min(number, cap)
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ text: String?
    ) throws(APIError) -> Choice? {
        guard let text, !text.isEmpty else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let allowed = Choice.allCases.map(\.rawValue).joined(separator: " or ")
            throw APIError(.badRequest, message: "The parameter \(name) must be \(allowed).")
        }
        return choice
    }

    /// RFC 3339, or seconds since 1970.
    private static func time(_ name: String, _ text: String?) throws(APIError) -> ForwardTime? {
        guard let text, !text.isEmpty else { return nil }
        if let seconds = Int64(text) { return ForwardTime(seconds: seconds, nanoseconds: 0) }
        guard let time = ForwardTime(rfc3339: text) else {
            throw APIError(
                .badRequest, message: "The parameter \(name) must be a time such as 2026-05-10T16:08:09Z.")
        }
        return time
    }
}

/// What a reader may ask for at most.
package struct QueryLimits: Sendable {
    package var defaultLines: Int
    package var maximumLines: Int
    package var maximumTimeout: Duration
    package var heartbeat: Duration

    package init(
        defaultLines: Int = 300, maximumLines: Int = 3000, maximumTimeout: Duration = .seconds(3600),
        heartbeat: Duration = .seconds(10)
    ) {
        self.defaultLines = defaultLines
        self.maximumLines = maximumLines
        self.maximumTimeout = maximumTimeout
        self.heartbeat = heartbeat
    }
}

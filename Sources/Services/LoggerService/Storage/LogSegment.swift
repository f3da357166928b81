import ForwardProtocol

/// Some hundred neighbouring lines of one app, kept in two arrays instead of one object a line.
struct LogSegment: Sendable {
    static let lineLimit = 256
    static let byteLimit = 32 << 10
    /// What a line costs beside its text.
    static let lineOverhead = MemoryLayout<Entry>.stride

    private struct Entry {
        let seconds: Int64
        let nanoseconds: UInt32
        /// Where the text ends in `texts`.
        let end: UInt32
        let source: UInt16
        let stream: OutputStream
        let isPartial: Bool
    }

    let firstSequence: UInt64
    private var entries: [Entry] = []
    private var texts: [UInt8] = []
    private var sources: [LogSource] = []

    init(firstSequence: UInt64) {
        self.firstSequence = firstSequence
    }

    var count: Int { entries.count }
    var byteCount: Int { texts.count + entries.count * Self.lineOverhead }
    var isFull: Bool { entries.count >= Self.lineLimit || texts.count >= Self.byteLimit }

    mutating func append(_ line: IncomingLine, source: LogSource) {
        let index: Int
        // The newest sources are the likely ones.
        if let known = sources.lastIndex(of: source) {
            index = known
        } else {
            index = sources.count
            sources.append(source)
        }
        texts.append(contentsOf: line.text.utf8)
        entries.append(
            Entry(
                seconds: line.time.seconds, nanoseconds: line.time.nanoseconds, end: UInt32(texts.count),
                source: UInt16(index), stream: line.stream, isPartial: line.isPartial))
    }

    /// The bytes line `index` takes.
    func byteCount(at index: Int) -> Int {
        Int(entries[index].end) - start(of: index) + Self.lineOverhead
    }

    subscript(index: Int) -> LogLine {
        let entry = entries[index]
        let text = String(decoding: texts[start(of: index)..<Int(entry.end)], as: UTF8.self)
        let time = ForwardTime(seconds: entry.seconds, nanoseconds: entry.nanoseconds)
        return LogLine(
            sequence: firstSequence + UInt64(index), source: sources[Int(entry.source)],
            line: IncomingLine(time: time, stream: entry.stream, isPartial: entry.isPartial, text: text))
    }

    private func start(of index: Int) -> Int {
        index == 0 ? 0 : Int(entries[index - 1].end)
    }
}

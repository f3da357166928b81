/// The newest lines of one app, bounded by their number and their bytes.
struct AppRing: Sendable {
    private var segments: [LogSegment] = []
    /// Lines at the front of the first segment that no longer count.
    private var dropped = 0
    private(set) var lineCount = 0
    /// The bytes of the lines that count.
    private(set) var byteCount = 0
    private(set) var nextSequence: UInt64

    init(nextSequence: UInt64 = 1) {
        self.nextSequence = nextSequence
    }

    /// The bytes in memory, with the lines that no longer count but share a segment with some that do.
    var heldBytes: Int { segments.reduce(0) { $0 + $1.byteCount } }

    @discardableResult
    mutating func append(_ line: IncomingLine, source: LogSource) -> LogLine {
        if segments.last?.isFull ?? true { segments.append(LogSegment(firstSequence: nextSequence)) }
        let last = segments.count - 1
        segments[last].append(line, source: source)
        byteCount += segments[last].byteCount(at: segments[last].count - 1)
        lineCount += 1
        defer { nextSequence += 1 }
        return LogLine(sequence: nextSequence, source: source, line: line)
    }

    /// Forgets the oldest lines until both bounds hold.
    mutating func trim(lines: Int, bytes: Int) {
        while lineCount > lines || byteCount > bytes, !segments.isEmpty { dropOldestLine() }
    }

    /// Forgets the oldest segment; returns how many lines went with it.
    mutating func dropOldestSegment() -> Int {
        guard !segments.isEmpty else { return 0 }
        let count = segments[0].count - dropped
        for _ in 0..<count { dropOldestLine() }
        return count
    }

    private mutating func dropOldestLine() {
        byteCount -= segments[0].byteCount(at: dropped)
        lineCount -= 1
        dropped += 1
        guard dropped == segments[0].count else { return }
        segments.removeFirst()
        dropped = 0
    }

    /// The newest `limit` lines that satisfy `matches`, oldest first.
    func newest(_ limit: Int, where matches: (LogLine) -> Bool) -> [LogLine] {
        var found: [LogLine] = []
        for (position, segment) in segments.enumerated().reversed() {
            let first = position == 0 ? dropped : 0
            for index in stride(from: segment.count - 1, through: first, by: -1) {
                guard found.count < limit else { return found.reversed() }
                let line = segment[index]
                if matches(line) { found.append(line) }
            }
        }
        return found.reversed()
    }
}

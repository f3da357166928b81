import ForwardProtocol

/// One record of a container's output, whole or cut.
struct ParsedRecord: Equatable {
    var time: ForwardTime?
    var isStderr: Bool
    /// The record is longer than allowed, or its end never came.
    var isPartial: Bool
    var text: [UInt8]
}

/// What a range of bytes of a log file holds.
///
/// A pure function of the bytes and the line limit: reading the same range again gives the same records, on which the
/// safe repetition of batches rests. A range ends where no record is unfinished, unless it is told to end anyway.
struct RangeParser {
    /// How a range may end.
    enum End {
        /// Only where every record is complete; the rest stays for later.
        case complete
        /// After the last line end; records unfinished there are cut.
        case lineEnd
        /// With the last byte; the rest after the last line end counts as a line.
        case everything
    }

    private(set) var records: [ParsedRecord] = []
    /// How many bytes the records take.
    private(set) var length = 0
    private(set) var malformedCount = 0
    private(set) var cutCount = 0
    /// Bytes after ``length`` begin a record whose end has not come.
    private(set) var isWaiting = false

    private let lineLimit: Int
    private var open = (out: ParsedRecord?.none, err: ParsedRecord?.none)

    init(_ bytes: [UInt8], end: End, lineLimit: Int) {
        self.lineLimit = lineLimit
        var position = 0
        var settled = (records: 0, malformed: 0, cut: 0)
        while let newline = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) {
            add(bytes[position..<newline])
            position = newline + 1
            guard open.out == nil, open.err == nil else { continue }
            length = position
            settled = (records.count, malformedCount, cutCount)
        }
        switch end {
        case .complete:
            records.removeSubrange(settled.records...)
            (malformedCount, cutCount) = (settled.malformed, settled.cut)
            isWaiting = length < bytes.count
        case .lineEnd:
            flush()
            length = position
            isWaiting = length < bytes.count
        case .everything:
            if position < bytes.count { add(bytes[position...]) }
            flush()
            length = bytes.count
        }
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        let line = LineParser.parse(bytes)
        if line.isMalformed { malformedCount += 1 }
        var record =
            (line.isStderr ? open.err : open.out)
            ?? ParsedRecord(time: line.time, isStderr: line.isStderr, isPartial: false, text: [])
        let room = lineLimit - record.text.count
        record.text += line.content.prefix(room)
        if line.content.count > room, !record.isPartial {
            record.isPartial = true
            cutCount += 1
        }
        if line.isComplete { records.append(record) }
        let rest = line.isComplete ? nil : record
        if line.isStderr { open.err = rest } else { open.out = rest }
    }

    private mutating func flush() {
        for record in [open.out, open.err] {
            guard var record else { continue }
            if !record.isPartial { cutCount += 1 }
            record.isPartial = true
            records.append(record)
        }
        open = (nil, nil)
    }
}

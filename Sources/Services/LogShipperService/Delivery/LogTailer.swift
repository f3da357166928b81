import ConcurrencyPrimitives
import ForwardProtocol
import Logging
import NIOCore

/// How the shipper reads.
struct TailerConfiguration: Sendable {
    enum ReadFrom: String, CaseIterable, Sendable {
        case beginning, end
    }

    var logDirectory: String
    var stateDirectory: String
    var batchBytes = 1 << 20
    var lineLimit = 256 << 10
    var inFlightBytes = 8 << 20
    var rescanInterval = Duration.seconds(5)
    var partialTimeout = Duration.seconds(5)
    var idleClose = Duration.seconds(60)
    /// Where the very first start begins in files that are already there.
    var readFrom = ReadFrom.beginning
}

/// Follows the log files of a directory and cuts them into batches.
///
/// A batch is a range of bytes of one file. Before a batch is given out its range is written to the journal, and until
/// it is acknowledged this range, and no other, is given out again: its identity is that of the range, so a receiver
/// that has it already can tell. Runs on a thread of its own, because it reads files.
actor LogTailer {
    struct Batch: Sendable {
        let id: String
        let message: ByteBuffer
        let byteCount: Int
        let lineCount: Int
        let isRepeated: Bool
    }

    /// What is to be sent now.
    struct Work: Sendable {
        var batches: [Batch] = []
        /// There is more to read as soon as batches are acknowledged.
        var isBacklogged = false
    }

    struct Status: Sendable {
        var files = 0
        var filesWithoutOrigin = 0
        var lagBytes = 0
        var inFlight = 0
        /// How long the oldest batch on its way has been.
        var oldestInFlight = Duration.zero
    }

    private struct InFlight {
        let file: TailedFile
        let end: Int
        let byteCount: Int
        let since: ContinuousClock.Instant
    }

    private let executor = BlockingExecutor(label: "log-tailer")
    private let configuration: TailerConfiguration
    private let journal: PositionJournal
    private let registry: FileRegistry
    private let metrics = TailerMetrics()
    private let logger: Logger
    private var inFlight: [String: InFlight] = [:]
    private var inFlightBytes = 0
    private var turn = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter wake: called from any thread when there may be something to read.
    init(_ configuration: TailerConfiguration, logger: Logger, wake: @escaping @Sendable () -> Void) throws {
        self.configuration = configuration
        self.logger = logger
        let journal = try PositionJournal(directory: configuration.stateDirectory)
        self.journal = journal
        registry = FileRegistry(
            configuration, known: journal.all, isFirstStart: journal.isFresh, logger: logger, wake: wake)
    }

    // MARK: - Reading

    /// Looks for new, grown, renamed and removed files, holds them open, and remembers what was acknowledged.
    func observe() throws {
        let removed = registry.observe(now: .now)
        let unsaved = registry.files.filter(\.isUnsaved)
        try journal.write(unsaved.map(\.position), removing: removed)
        for file in unsaved { file.isUnsaved = false }
    }

    /// Reads what is new, as far as the bounds allow.
    func collect() throws -> Work {
        try observe()
        var work = Work()
        var drafts: [Draft] = []
        let groups = registry.groups
        turn += 1
        for index in groups.indices {
            // Each round begins with another folder, so that a noisy one does not starve the rest.
            let group = groups[(index + turn) % groups.count]
            guard inFlightBytes + drafts.reduce(0, { $0 + $1.byteCount }) < configuration.inFlightBytes else {
                work.isBacklogged = true
                break
            }
            if let draft = draft(from: group) {
                drafts.append(draft)
                work.isBacklogged = work.isBacklogged || draft.isMore
            }
        }
        try journal.write(drafts.map(\.position))
        work.batches = drafts.map(commit)
        return work
    }

    /// A batch read but not yet promised.
    private struct Draft {
        let file: TailedFile
        let position: FilePosition
        let parser: RangeParser
        let isRepeated: Bool
        let isMore: Bool

        var byteCount: Int { parser.length }
    }

    /// The next batch of a folder: of its oldest file that has not been read to its end.
    private func draft(from group: [TailedFile]) -> Draft? {
        for file in group {
            guard !file.isInFlight else { return nil }
            guard file.isDirty || file.isWaiting, file.origin != nil else { continue }
            do {
                if let draft = try draft(from: file) { return draft }
            } catch {
                // The registry finds out what became of it.
                logger.debug("A log file cannot be read", metadata: ["error": "\(error)"])
                file.log = nil
            }
        }
        return nil
    }

    private func draft(from file: TailedFile) throws(FileFailure) -> Draft? {
        let now = ContinuousClock.now
        let status = try file.look(now: now)
        guard try file.verify(status), let log = file.log else {
            registry.replace(file)
            return nil
        }
        file.isDirty = false
        file.isWaiting = false
        let start = file.position.offset
        if let end = file.position.pendingEnd {
            let bytes = try log.read(at: start, count: end - start)
            let parser = RangeParser(bytes, end: .everything, lineLimit: configuration.lineLimit)
            return Draft(
                file: file, position: file.position, parser: parser, isRepeated: true, isMore: end < status.size)
        }
        guard status.size > start else { return nil }
        let window = min(status.size - start, configuration.batchBytes)
        let bytes = try log.read(at: start, count: window)
        guard let parser = parse(bytes, of: file, isWhole: window == status.size - start, now: now) else {
            file.isWaiting = true
            return nil
        }
        var position = file.position
        position.pendingEnd = start + parser.length
        return Draft(
            file: file, position: position, parser: parser, isRepeated: false,
            isMore: start + parser.length < status.size && !parser.isWaiting)
    }

    /// Cuts a range that is worth sending; nil when its records are not complete and may yet become so.
    /// - Parameter isWhole: the bytes go to the end of the file.
    private func parse(_ bytes: [UInt8], of file: TailedFile, isWhole: Bool, now: ContinuousClock.Instant)
        -> RangeParser?
    {
        let limit = configuration.lineLimit
        let parser = RangeParser(bytes, end: .complete, lineLimit: limit)
        if parser.length > 0 { return parser }
        let quiet = now - file.grownAt
        if isWhole {
            guard quiet >= configuration.partialTimeout else { return nil }
            let isOver = !file.isListed || file.name.isRotated
            let forced = RangeParser(bytes, end: isOver ? .everything : .lineEnd, lineLimit: limit)
            return forced.length > 0 ? forced : nil
        }
        let forced = RangeParser(bytes, end: .lineEnd, lineLimit: limit)
        return forced.length > 0 ? forced : RangeParser(bytes, end: .everything, lineLimit: limit)
    }

    private func commit(_ draft: Draft) -> Batch {
        let file = draft.file
        file.position = draft.position
        file.isInFlight = true
        let end = draft.position.pendingEnd ?? draft.position.offset
        let id = "\(draft.position.id)-\(draft.position.offset)-\(end)"
        inFlight[id] = InFlight(file: file, end: end, byteCount: draft.byteCount, since: .now)
        inFlightBytes += draft.byteCount
        metrics.add(draft.parser, isRepeated: draft.isRepeated)
        var builder = PackedForwardBuilder()
        let now = ForwardTime.now
        if let origin = file.origin {
            for record in draft.parser.records {
                builder.append(
                    record.time ?? now, text: record.text, isStderr: record.isStderr, isPartial: record.isPartial,
                    origin: origin)
            }
        }
        return Batch(
            id: id, message: builder.message(tag: file.tag, chunk: id), byteCount: draft.byteCount,
            lineCount: draft.parser.records.count, isRepeated: draft.isRepeated)
    }

    // MARK: - Answers

    /// The receiver has taken responsibility for a batch. False for one that nobody waits for.
    func acknowledge(_ id: String) -> Bool {
        guard let sent = inFlight.removeValue(forKey: id) else { return false }
        inFlightBytes -= sent.byteCount
        let file = sent.file
        file.position.offset = sent.end
        file.position.pendingEnd = nil
        file.isInFlight = false
        file.isUnsaved = true
        file.isDirty = true
        metrics.acknowledged(bytes: sent.byteCount, after: .now - sent.since)
        return true
    }

    /// Nothing that is on its way will be acknowledged any more: it is given out again.
    func connectionLost() {
        for sent in inFlight.values {
            sent.file.isInFlight = false
            sent.file.isDirty = true
        }
        inFlight = [:]
        inFlightBytes = 0
    }

    /// Has the journal reach the disk and reports what is behind.
    func status() throws -> Status {
        try journal.synchronize()
        var status = Status(files: registry.files.count)
        for file in registry.files {
            if file.origin == nil { status.filesWithoutOrigin += 1 }
            status.lagBytes += file.lag
        }
        status.inFlight = inFlight.count
        status.oldestInFlight = inFlight.values.map(\.since).min().map { ContinuousClock.now - $0 } ?? .zero
        metrics.report(status)
        return status
    }
}

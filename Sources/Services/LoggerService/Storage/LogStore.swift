import ConcurrencyPrimitives
import Metrics

/// Bounds of what the logger keeps.
package struct StoreLimits: Sendable {
    package var linesPerApp: Int
    package var bytesPerApp: Int
    package var bytes: Int
    package var followers: Int
    package var chunks: Int

    package init(
        linesPerApp: Int = 3000, bytesPerApp: Int = 4 << 20, bytes: Int = 512 << 20, followers: Int = 10_000,
        chunks: Int = 100_000
    ) {
        self.linesPerApp = linesPerApp
        self.bytesPerApp = bytesPerApp
        self.bytes = bytes
        self.followers = followers
        self.chunks = chunks
    }
}

/// Keeps the newest lines of every app and feeds those who follow.
///
/// Runs on a thread of its own, because it writes the spool. A batch is in the spool before it is in memory, and both
/// happen before ``ingest(_:)`` returns: what is acknowledged survives the process.
package actor LogStore {
    package enum Outcome: Sendable, Equatable {
        case stored
        /// A batch of this identity is already there.
        case duplicate
    }

    package struct TooManyFollowers: Error {}

    private let executor = BlockingExecutor(label: "log-store")
    private let limits: StoreLimits
    private let metrics: StoreMetrics
    private let spool: Spool?
    private var rings: [AppKey: AppRing] = [:]
    private var heldBytes = 0
    private var chunks: ChunkMemory
    private var followers: [AppKey: [UInt64: Follower]] = [:]
    private var followerCount = 0
    private var nextFollower: UInt64 = 0
    private var isClosing = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter spool: where lines survive a restart; nil keeps them in memory only.
    package init(limits: StoreLimits = .init(), spool: sending Spool? = nil) {
        self.limits = limits
        self.spool = spool
        metrics = StoreMetrics()
        chunks = ChunkMemory(limit: limits.chunks)
    }

    /// Reads back what the spool holds; call once, before anything else.
    package func restore() throws {
        try spool?.replay { apply($0) }
        report()
    }

    private func apply(_ entry: SpoolEntry) {
        switch entry {
        case .snapshot:
            rings = [:]
            heldBytes = 0
            chunks = ChunkMemory(limit: limits.chunks)
        case .chunks(let all): for chunk in all { chunks.insert(chunk) }
        case .app(let app, let nextSequence): rings[app] = AppRing(nextSequence: nextSequence)
        case .batch(let batch):
            if let chunk = batch.chunk { chunks.insert(chunk) }
            insert(batch)
        case .remove(let app): forget(app)
        }
    }

    // MARK: - Writing

    /// Stores a batch unless one of its identity is there already.
    package func ingest(_ batch: IngestBatch) throws -> Outcome {
        if let chunk = batch.chunk, chunks.contains(chunk) {
            metrics.duplicates.increment()
            return .duplicate
        }
        try spool?.append(.batch(batch))
        if let chunk = batch.chunk { chunks.insert(chunk) }
        insert(batch)
        metrics.lines.increment(by: batch.lineCount)
        try compactWhenWorthwhile()
        report()
        return .stored
    }

    private func insert(_ batch: IngestBatch) {
        for run in batch.runs {
            var ring = rings[run.app] ?? AppRing()
            rings[run.app] = nil
            let before = ring.heldBytes
            let stored = run.lines.map { ring.append($0, source: run.source) }
            ring.trim(lines: limits.linesPerApp, bytes: limits.bytesPerApp)
            heldBytes += ring.heldBytes - before
            rings[run.app] = ring
            for follower in followers[run.app, default: [:]].values {
                metrics.followerDrops.increment(by: follower.offer(stored))
            }
        }
        while heldBytes > limits.bytes, evict() {}
    }

    /// Takes the oldest segment from whoever holds most.
    private func evict() -> Bool {
        guard let (app, _) = rings.max(by: { $0.value.byteCount < $1.value.byteCount }), var ring = rings[app] else {
            return false
        }
        rings[app] = nil
        let before = ring.heldBytes
        let lines = ring.dropOldestSegment()
        heldBytes += ring.heldBytes - before
        rings[app] = ring
        metrics.evictedLines.increment(by: lines)
        return lines > 0
    }

    /// Forgets the lines of an app and ends the streams of those who follow it.
    package func remove(_ app: AppKey) throws {
        try spool?.append(.remove(app))
        forget(app)
        for follower in followers[app, default: [:]].values { follower.finish() }
        report()
    }

    private func forget(_ app: AppKey) {
        heldBytes -= rings[app]?.heldBytes ?? 0
        rings[app] = nil
    }

    private func compactWhenWorthwhile() throws {
        guard let spool, spool.isWorthCompacting(liveBytes: heldBytes) else { return }
        try spool.compact { write in
            try write(.chunks(chunks.all))
            for (app, ring) in rings {
                let lines = ring.newest(.max) { _ in true }
                try write(.app(app, nextSequence: ring.nextSequence - UInt64(lines.count)))
                var batch = IngestBatch(chunk: nil)
                for line in lines { batch.append(line.line, app: app, source: line.source) }
                try write(.batch(batch))
            }
        }
    }

    // MARK: - Reading

    /// The newest matching lines; nil when the app has none at all.
    package func lines(of app: AppKey, _ query: LogQuery) -> [LogLine]? {
        guard let ring = rings[app], ring.lineCount > 0 else { return nil }
        return ring.newest(query.lines, where: query.filter.matches)
    }

    /// The newest matching lines and a follower that gets every line after them: none is missing, none comes twice.
    package func follow(_ app: AppKey, _ query: LogQuery) throws(TooManyFollowers) -> (
        backlog: [LogLine], id: UInt64, Follower
    ) {
        guard followerCount < limits.followers else { throw TooManyFollowers() }
        let follower = Follower(filter: query.filter)
        nextFollower += 1
        followerCount += 1
        followers[app, default: [:]][nextFollower] = follower
        if isClosing { follower.finish() }
        report()
        return (lines(of: app, query) ?? [], nextFollower, follower)
    }

    /// Whether anybody follows this app now.
    func isFollowed(_ app: AppKey) -> Bool { followers[app] != nil }

    package var hasRoomForFollowers: Bool { followerCount < limits.followers }

    package func unfollow(_ app: AppKey, _ id: UInt64) {
        guard followers[app]?.removeValue(forKey: id) != nil else { return }
        if followers[app]?.isEmpty == true { followers[app] = nil }
        followerCount -= 1
        report()
    }

    /// Ends all streams, so that the process can stop.
    package func endFollowing() {
        isClosing = true
        for follower in followers.values.flatMap(\.values) { follower.finish() }
    }

    private func report() {
        metrics.apps.record(rings.count)
        metrics.bytes.record(heldBytes)
        metrics.followers.record(followerCount)
        metrics.spoolBytes.record(spool?.byteCount ?? 0)
    }
}

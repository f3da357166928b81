import ForwardProtocol

/// One log file and what is known of it while the process runs.
final class TailedFile {
    var position: FilePosition
    var name: LogFileName
    /// Held open so that the file can be read to its end after it was renamed or removed.
    var log: OpenLog?
    var origin: EncodedOrigin?
    var tag = ""
    /// Something may have changed since the last look.
    var isDirty = true
    /// A batch of this file is on its way.
    var isInFlight = false
    /// The last scan found it.
    var isListed = true
    /// The position on disk is behind.
    var isUnsaved = false
    /// Bytes after the offset are no whole record yet.
    var isWaiting = false
    var size = 0
    var grownAt: ContinuousClock.Instant
    var usedAt: ContinuousClock.Instant

    init(position: FilePosition, name: LogFileName, now: ContinuousClock.Instant) {
        self.position = position
        self.name = name
        grownAt = now
        usedAt = now
    }

    var lag: Int { max(0, size - position.offset) }

    /// Opens the file if it is not, and says what is there now.
    func look(now: ContinuousClock.Instant) throws(FileFailure) -> FileStatus {
        let log: OpenLog
        if let open = self.log {
            log = open
        } else {
            log = try OpenLog(path: position.path)
            self.log = log
        }
        let status = try log.status()
        if status.size != size {
            size = status.size
            grownAt = now
        }
        usedAt = now
        return status
    }

    /// Whether it is still the file the position speaks of; takes note of first bytes that are new.
    func verify(_ status: FileStatus) throws(FileFailure) -> Bool {
        guard status.device == position.device, status.inode == position.inode, let log,
            status.size >= max(position.offset, position.pendingEnd ?? 0)
        else { return false }
        let first = try log.read(at: 0, count: min(FilePosition.Fingerprint.length, status.size))
        guard position.fingerprint.matches(first) else { return false }
        if position.fingerprint.length < first.count { position.fingerprint = .init(first) }
        return true
    }
}

import ForwardProtocol
import Logging
import Metrics

/// Knows every log file there is, by its number on the file system rather than its name.
///
/// Not thread-safe: belongs to the tailer.
final class FileRegistry {
    private struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    private let configuration: TailerConfiguration
    private let directory: LogDirectory
    private let watcher: DirectoryWatcher
    private let logger: Logger
    private let truncated = Counter(label: "shipper.files.truncated")
    private var byIdentity: [Identity: TailedFile] = [:]
    private var nextScan = ContinuousClock.now
    private var startsAtEnd: Bool
    private var removed: [String] = []

    /// The files of each folder, from the oldest to the newest.
    private(set) var groups: [[TailedFile]] = []

    init(
        _ configuration: TailerConfiguration, known: [FilePosition], isFirstStart: Bool, logger: Logger,
        wake: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        directory = LogDirectory(root: configuration.logDirectory)
        watcher = DirectoryWatcher(onChange: wake)
        startsAtEnd = isFirstStart && configuration.readFrom == .end
        if !watcher.isAvailable { logger.warning("Changes of files are not announced here; looking for them instead") }
        for position in known {
            let name = LogFileName(lastName(of: position.path))
            guard let name else { continue }
            let file = TailedFile(position: position, name: name, now: .now)
            file.isListed = false
            byIdentity[Identity(device: position.device, inode: position.inode)] = file
        }
    }

    var files: some Collection<TailedFile> { byIdentity.values }

    /// Takes note of what changed. Returns the ids of positions that are of no use any more.
    func observe(now: ContinuousClock.Instant) -> [String] {
        let changes = watcher.takeChanges()
        if changes.structure || changes.overflow || now >= nextScan {
            nextScan = now + configuration.rescanInterval
            scan(now: now)
            for file in files { file.isDirty = true }
        } else if !watcher.isComplete {
            for file in files { file.isDirty = true }
        }
        if !changes.files.isEmpty {
            for file in files where changes.files.contains(file.position.path) { file.isDirty = true }
        }
        defer { removed = [] }
        return removed
    }

    /// The file was truncated or its number given to another one: its content is read as that of a new file.
    func replace(_ file: TailedFile) {
        truncated.increment()
        logger.warning(
            "A log file was truncated or replaced in place",
            metadata: ["path": "\(file.position.path)", "offset": "\(file.position.offset)"])
        forget(file)
        nextScan = .now
    }

    // MARK: - Scanning

    private func scan(now: ContinuousClock.Instant) {
        var found = directory.scan()
        // What came into a new folder before it was watched is found by a second look.
        if watcher.watch(found.folders) {
            found = directory.scan()
            _ = watcher.watch(found.folders)
        }
        for file in files { file.isListed = false }
        for (path, name) in found.files { note(path, name, now: now) }
        startsAtEnd = false
        for file in Array(files) where !file.isListed { settle(file, now: now) }
        for file in files where file.log != nil && isIdle(file, now: now) { file.log = nil }
        regroup()
    }

    private func note(_ path: String, _ name: LogFileName, now: ContinuousClock.Instant) {
        do {
            let status = try FileStatus(path: path)
            guard status.isRegular else { return }
            let identity = Identity(device: status.device, inode: status.inode)
            if let file = byIdentity[identity] {
                let isRenamed = file.position.path != path
                file.position.path = path
                file.name = name
                file.isListed = true
                file.isUnsaved = file.isUnsaved || isRenamed
                let look = try file.look(now: now)
                if try file.verify(look) {
                    locate(file)
                    return
                }
                replace(file)
            }
            try adopt(path, name, now: now)
        } catch {
            // It vanished, or may not be read: the next scan looks again.
            logger.debug("A log file cannot be looked at", metadata: ["path": "\(path)", "error": "\(error)"])
        }
    }

    private func adopt(_ path: String, _ name: LogFileName, now: ContinuousClock.Instant) throws(FileFailure) {
        let log = try OpenLog(path: path)
        let status = try log.status()
        let first = try log.read(at: 0, count: min(FilePosition.Fingerprint.length, status.size))
        let position = FilePosition(
            id: String(UInt64.random(in: .min ... .max), radix: 36), path: path, device: status.device,
            inode: status.inode, fingerprint: .init(first), offset: startsAtEnd ? status.size : 0)
        let file = TailedFile(position: position, name: name, now: now)
        file.log = log
        file.size = status.size
        file.isUnsaved = true
        byIdentity[Identity(device: status.device, inode: status.inode)] = file
        locate(file)
    }

    /// Finds out whose log it is; without that it is not read.
    private func locate(_ file: TailedFile) {
        guard file.origin == nil, let origin = LogOrigin(file: file.position.path, root: directory.root) else { return }
        file.origin = EncodedOrigin(
            namespace: origin.namespace, pod: origin.pod, container: origin.container, labels: origin.labels)
        file.tag = "app.\(origin.namespace)"
        file.isDirty = true
    }

    /// Decides about a file that has no name any more: it stays while something in it is not delivered.
    private func settle(_ file: TailedFile, now: ContinuousClock.Instant) {
        guard file.log != nil else { return forget(file) }
        do {
            let status = try file.look(now: now)
            let isDelivered = !file.isInFlight && file.position.offset >= status.size
            // A runtime may write to a renamed file for a moment; a file without origin will not get one.
            let isOver = now - file.grownAt >= configuration.partialTimeout
            if isOver, isDelivered || file.origin == nil { forget(file) }
        } catch {
            forget(file)
        }
    }

    private func isIdle(_ file: TailedFile, now: ContinuousClock.Instant) -> Bool {
        file.isListed && !file.isInFlight && file.lag == 0 && now - file.grownAt >= configuration.idleClose
    }

    private func forget(_ file: TailedFile) {
        byIdentity[Identity(device: file.position.device, inode: file.position.inode)] = nil
        removed.append(file.position.id)
        regroup()
    }

    private func regroup() {
        var folders: [String: [TailedFile]] = [:]
        for file in files { folders[folder(of: file.position.path), default: []].append(file) }
        groups = folders.sorted { $0.key < $1.key }.map { _, files in
            // A file without a name is older than its successor of the same name.
            files.sorted { ($0.name, $0.isListed ? 1 : 0) < ($1.name, $1.isListed ? 1 : 0) }
        }
    }

    private func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }
}

private func lastName(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? ""
}

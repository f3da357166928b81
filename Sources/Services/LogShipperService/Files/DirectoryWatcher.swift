import ConcurrencyPrimitives
import Glibc
import Synchronization

/// Notices changes in folders through inotify and wakes the shipper.
///
/// Only a hint: events may be lost, so the shipper also looks by itself from time to time. Where the kernel gives no
/// inotify instance, ``isAvailable`` is false and looking is all there is.
final class DirectoryWatcher: Sendable {
    /// What happened since the last look.
    struct Changes: Equatable {
        /// Folders or files came, went or were renamed.
        var structure = false
        /// Files grew.
        var files: Set<String> = []
        /// Events were lost: anything may have changed.
        var overflow = false

        var isEmpty: Bool { !structure && files.isEmpty && !overflow }
    }

    private struct State {
        var folders: [CInt: String] = [:]
        var watched: [String: CInt] = [:]
        var changes = Changes()
        var isComplete = true
    }

    private let descriptor: CInt
    private let stopping = WakeSignal()
    private let state = Mutex(State())
    private let onChange: @Sendable () -> Void

    var isAvailable: Bool { descriptor >= 0 }
    /// Every folder is watched: without this, growing files must be looked for.
    var isComplete: Bool { isAvailable && state.withLock { $0.isComplete } }

    init(onChange: @escaping @Sendable () -> Void) {
        self.onChange = onChange
        descriptor = inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { return }
        let (descriptor, stopping) = (descriptor, stopping)
        OperatingSystemThread.start(name: "log-watch", stackSize: 256 << 10) { [weak self] in
            while stopping.wait(alsoFor: descriptor, limit: nil) {
                guard let self else { break }
                self.read()
            }
            close(descriptor)
        }
    }

    deinit { stopping.signal() }

    /// Watches these folders and no others. Returns whether any was new: what happened in it before was not noticed.
    func watch(_ folders: [String]) -> Bool {
        guard isAvailable else { return false }
        let wanted = Set(folders)
        return state.withLock { state in
            for (folder, watch) in state.watched where !wanted.contains(folder) {
                // The kernel has dropped the watch itself when the folder is gone.
                inotify_rm_watch(descriptor, watch)
                state.watched[folder] = nil
                state.folders[watch] = nil
            }
            var added = false
            state.isComplete = true
            for folder in wanted where state.watched[folder] == nil {
                let events = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR
                let watch = inotify_add_watch(descriptor, folder, UInt32(events))
                guard watch >= 0 else {
                    // A folder that is gone needs no watch; the kernel's limit on watches is another matter.
                    if errno != ENOENT { state.isComplete = false }
                    continue
                }
                added = true
                state.watched[folder] = watch
                state.folders[watch] = folder
            }
            return added
        }
    }

    /// Takes what happened since the last call.
    func takeChanges() -> Changes {
        state.withLock { state in
            defer { state.changes = Changes() }
            return state.changes
        }
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return }
        state.withLock { state in
            var position = 0
            while position + MemoryLayout<inotify_event>.size <= count {
                let event = buffer.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: position, as: inotify_event.self)
                }
                let start = position + MemoryLayout<inotify_event>.size
                let end = min(start + Int(event.len), count)
                let name = String(decoding: buffer[start..<end].prefix { $0 != 0 }, as: UTF8.self)
                Self.note(event, name, &state)
                position = start + Int(event.len)
            }
        }
        onChange()
    }

    private static func note(_ event: inotify_event, _ name: String, _ state: inout State) {
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
            state.changes.overflow = true
        } else if event.mask & UInt32(IN_IGNORED) != 0 {
            if let folder = state.folders.removeValue(forKey: event.wd) { state.watched[folder] = nil }
            state.changes.structure = true
        } else if event.mask & UInt32(IN_MODIFY) != 0 {
            if let folder = state.folders[event.wd] { state.changes.files.insert(folder + "/" + name) }
        } else {
            state.changes.structure = true
        }
    }
}

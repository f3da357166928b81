import Glibc

/// Makes sure that one process at a time serves a storage folder; the kernel releases it when the process ends.
final class StorageLock: Sendable {
    private let descriptor: CInt

    /// Locks the file, or tells that another process has it.
    init?(_ path: String) {
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard opened >= 0 else { return nil }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            close(opened)
            return nil
        }
        descriptor = opened
    }

    deinit { close(descriptor) }
}

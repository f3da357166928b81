import Glibc
import SystemPackage

/// Keeps a directory to one process, until it ends in whatever way.
final class SpoolLock {
    private let descriptor: FileDescriptor

    /// - Throws: ``Spool/InUse`` when another process has it.
    init(directory: FilePath) throws {
        descriptor = try FileDescriptor.open(
            directory.appending("lock"), .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            try descriptor.close()
            throw Spool.InUse(directory: directory.string)
        }
    }

    deinit {
        // Closing gives the lock back; there is nothing to do about a failure.
        try? descriptor.close()
    }
}

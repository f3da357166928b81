import Glibc

/// Keeps a directory of state to one process, until that ends in whatever way.
package final class DirectoryLock: Sendable {
    /// Why the directory cannot be had.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let directory: String
        package let errorNumber: CInt

        package var description: String {
            errorNumber == EWOULDBLOCK
                ? "\(directory) is in use by another process"
                : "\(directory) cannot be locked: \(String(cString: strerror(errorNumber)))"
        }
    }

    private let descriptor: CInt

    /// Takes the lock; the directory must exist.
    /// - Throws: ``Failure``, with `EWOULDBLOCK` when another process has the directory.
    package init(directory: String) throws(Failure) {
        let descriptor = open(directory + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(directory: directory, errorNumber: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = Failure(directory: directory, errorNumber: errno)
            close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}

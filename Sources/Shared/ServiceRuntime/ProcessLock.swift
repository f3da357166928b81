import Glibc

/// A file only one process at a time can hold. The kernel lets go of it when the holder ends, however that happens.
package final class ProcessLock: Sendable {
    private let descriptor: Int32

    /// Why the lock was not taken.
    package enum Refusal: Error, Equatable, CustomStringConvertible {
        case held(path: String)
        case unusable(path: String, errno: Int32)

        package var description: String {
            switch self {
            case .held(let path): "\(path) is in use by another process"
            case .unusable(let path, let code): "\(path) cannot be locked: \(String(cString: strerror(code)))"
            }
        }
    }

    /// Takes the lock or says at once why not.
    package init(path: String) throws(Refusal) {
        // A local name, because an object whose members are all set runs its deinit when its init throws.
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw .unusable(path: path, errno: errno) }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(opened)
            throw code == EWOULDBLOCK ? .held(path: path) : .unusable(path: path, errno: code)
        }
        descriptor = opened
    }

    deinit {
        // Closing alone would leave the lock to a child that is just being started and still has the descriptor.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

import Glibc

/// A system call on a file that failed.
package struct FileFailure: Error, Sendable, CustomStringConvertible {
    /// What the failure means for the caller.
    package enum Condition: Sendable {
        /// There is no such file or folder.
        case missing
        /// The disk or quota is full.
        case full
        /// Not permitted, or the file system is read-only.
        case forbidden
        /// A folder where a file was expected, or the other way round.
        case wrongKind
        /// Anything else.
        case other
    }

    /// What was tried, as `open`, `write`.
    package let operation: String
    /// The error number.
    package let number: CInt

    /// Reads the calling thread's error number; call it before anything else may change it.
    package init(operation: String) {
        number = errno
        self.operation = operation
    }

    /// Creates a failure of a known number.
    package init(operation: String, number: CInt) {
        self.operation = operation
        self.number = number
    }

    /// What the failure means.
    package var condition: Condition {
        switch number {
        case ENOENT: .missing
        case ENOSPC, EDQUOT, EFBIG: .full
        case EACCES, EPERM, EROFS: .forbidden
        case ENOTDIR, EISDIR, EEXIST, ENOTEMPTY: .wrongKind
        default: .other
        }
    }

    package var description: String { "\(operation): \(String(cString: strerror(number)))" }
}

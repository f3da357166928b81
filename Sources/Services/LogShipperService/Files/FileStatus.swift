import Glibc

/// What the file system says about an open file.
struct FileStatus: Equatable {
    let device: UInt64
    let inode: UInt64
    let size: Int
    /// No name leads to it any more.
    let isRemoved: Bool
    let isRegular: Bool

    private init(_ raw: stat) {
        device = UInt64(raw.st_dev)
        inode = UInt64(raw.st_ino)
        size = Int(raw.st_size)
        isRemoved = raw.st_nlink == 0
        isRegular = raw.st_mode & S_IFMT == S_IFREG
    }

    init(descriptor: CInt) throws(FileFailure) {
        var raw = stat()
        guard fstat(descriptor, &raw) == 0 else { throw FileFailure(errno, "stat", "descriptor") }
        self.init(raw)
    }

    init(path: String) throws(FileFailure) {
        var raw = stat()
        guard stat(path, &raw) == 0 else { throw FileFailure(errno, "stat", path) }
        self.init(raw)
    }
}

/// A system call on a file failed.
package struct FileFailure: Error, Equatable, CustomStringConvertible {
    package let errorNumber: CInt
    package let operation: String
    package let path: String

    init(_ errorNumber: CInt, _ operation: String, _ path: String) {
        self.errorNumber = errorNumber
        self.operation = operation
        self.path = path
    }

    package var description: String { "\(operation) \(path): \(String(cString: strerror(errorNumber)))" }
}

/// A file open for reading; closed with the last reference.
final class OpenLog {
    let path: String
    private let descriptor: CInt

    init(path: String) throws(FileFailure) {
        // A pipe that somebody put there must not hold us up.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileFailure(errno, "open", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    func status() throws(FileFailure) -> FileStatus {
        try FileStatus(descriptor: descriptor)
    }

    /// Up to `count` bytes from `offset`; fewer only at the end of the file.
    func read(at offset: Int, count: Int) throws(FileFailure) -> [UInt8] {
        var failure: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard failure == 0 else { throw FileFailure(failure, "read", path) }
        return bytes
    }
}

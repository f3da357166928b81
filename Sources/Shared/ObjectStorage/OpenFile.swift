import CSystemCalls
import Glibc

/// An open file, closed when the value goes away.
///
/// Its methods block; call them on a thread made for that.
package struct OpenFile: ~Copyable, Sendable {
    /// How a file is opened.
    package enum Mode: Sendable {
        /// For reading; it must exist.
        case reading
        /// For writing at its end, created when missing.
        case appending
        /// For writing from scratch; it must not exist.
        case creating
    }

    private let descriptor: CInt

    /// Opens a file without following a symbolic link in its last component.
    package init(_ path: String, _ mode: Mode) throws(FileFailure) {
        let flags =
            switch mode {
            case .reading: O_RDONLY
            case .appending: O_WRONLY | O_CREAT | O_APPEND
            case .creating: O_WRONLY | O_CREAT | O_EXCL
            }
        let opened = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard opened >= 0 else { throw FileFailure(operation: "open") }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// The length and last change of the file now.
    package func status() throws(FileFailure) -> FileStatus {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileFailure(operation: "stat") }
        return FileStatus(status)
    }

    /// Writes all the bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure(operation: "write") }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes all the bytes.
    package func write(_ bytes: [UInt8]) throws(FileFailure) {
        var failure: FileFailure?
        bytes.withUnsafeBytes { buffer in
            do throws(FileFailure) { try write(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Reads into `buffer` from `offset` until it is full or the file ends, and tells how many bytes came.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFailure) -> Int {
        var filled = 0
        while filled < buffer.count {
            let target = buffer.baseAddress?.advanced(by: filled)
            let count = pread(descriptor, target, buffer.count - filled, off_t(offset + filled))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure(operation: "read") }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Reads at most `count` bytes from `offset`; fewer only at the end of the file.
    package func read(_ count: Int, at offset: Int) throws(FileFailure) -> [UInt8] {
        var failure: FileFailure?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(FileFailure) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Makes the content durable.
    package func synchronize() throws(FileFailure) {
        guard fdatasync(descriptor) == 0 else { throw FileFailure(operation: "fdatasync") }
    }

    /// Cuts or extends the file to `length` bytes.
    package func truncate(to length: Int) throws(FileFailure) {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw FileFailure(operation: "ftruncate") }
    }

    /// Tells the kernel that the file will be read from front to back.
    package func adviseSequentialReading() {
        // Only advice: a file system that cannot take it reads all the same.
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    /// Tells the kernel to read a part that is needed soon, and waits for its end to be there.
    package func load(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        // Only advice: what is not loaded is read when it is needed.
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
        var byte: UInt8 = 0
        _ = pread(descriptor, &byte, 1, off_t(range.upperBound - 1))
    }

    /// Whether the end of a part can be read without waiting for the disk. Does not block.
    package func isLoaded(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return true }
        var byte: UInt8 = 0
        let count = withUnsafeMutableBytes(of: &byte) { readLoaded(into: $0, at: range.upperBound - 1) }
        // A file system that cannot tell has no disk to wait for, or is asked in vain.
        return count >= 0 || errno != EAGAIN
    }

    /// Reads what is in the page cache from `offset`, and tells how many bytes came; less than 0 for none. Does not
    /// block.
    package func readLoaded(into buffer: UnsafeMutableRawBufferPointer, at offset: Int = 0) -> Int {
        syscalls_read_loaded(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
    }

    /// A second descriptor of the open file, which the caller closes.
    package func duplicateDescriptor() throws(FileFailure) -> CInt {
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard duplicate >= 0 else { throw FileFailure(operation: "dup") }
        return duplicate
    }
}

import Glibc

/// A file of a service's own state: replaced as a whole, never half written, with exactly the mode asked for.
package enum StateFile {
    /// A file could not be read or written.
    package struct Failure: Error, CustomStringConvertible {
        package let path: String
        package let errno: Int32

        package init(path: String, errno: Int32) {
            self.path = path
            self.errno = errno
        }

        package var description: String { "\(path): \(String(cString: strerror(errno)))" }
    }

    /// Writes beside the file, makes it durable and then puts it in place.
    /// - Parameter mode: what the new file's permissions are, whatever the process's mask.
    package static func write(_ bytes: some Sequence<UInt8>, to path: String, mode: UInt32) throws(Failure) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Failure(path: temporary, errno: errno) }
        var closed = false
        defer { if !closed { close(descriptor) } }
        let content = Array(bytes)
        var offset = 0
        while offset < content.count {
            let written = content[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw Failure(path: temporary, errno: errno) }
            offset += written
        }
        guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else {
            throw Failure(path: temporary, errno: errno)
        }
        closed = true
        guard close(descriptor) == 0 else { throw Failure(path: temporary, errno: errno) }
        guard rename(temporary, path) == 0 else { throw Failure(path: path, errno: errno) }
    }

    package static func write(_ text: String, to path: String, mode: UInt32) throws(Failure) {
        try write(text.utf8, to: path, mode: mode)
    }

    /// The content, or nil when there is no such file.
    package static func read(_ path: String, limit: Int = 64 << 20) throws(Failure) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw Failure(path: path, errno: errno) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(path: path, errno: errno) }
            if count == 0 { return content }
            content += chunk[..<count]
            guard content.count <= limit else { throw Failure(path: path, errno: EFBIG) }
        }
    }

    package static func readText(_ path: String) throws(Failure) -> String? {
        try read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Makes the directory and those above it, and gives the last one exactly this mode.
    package static func makeDirectory(_ path: String, mode: UInt32) throws(Failure) {
        var partial = ""
        for component in path.split(separator: "/") {
            partial += "/\(component)"
            if mkdir(partial, 0o755) != 0, errno != EEXIST { throw Failure(path: partial, errno: errno) }
        }
        guard chmod(path, mode) == 0 else { throw Failure(path: path, errno: errno) }
    }

    /// Removes a file; one that is not there is fine.
    package static func remove(_ path: String) throws(Failure) {
        if unlink(path) != 0, errno != ENOENT { throw Failure(path: path, errno: errno) }
    }
}

import Glibc
import ServiceRuntime

/// The log of one server, which the server itself appends to.
struct LogFile: Sendable {
    let path: String

    /// The last lines, oldest first; none when there is no log.
    func lastLines(_ count: Int, within bytes: Int = 64 << 10) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        let start = max(0, size - bytes)
        var tail = [UInt8](repeating: 0, count: min(size, bytes))
        let length = pread(descriptor, &tail, tail.count, off_t(start))
        guard length > 0 else { return [] }
        return String(decoding: tail[..<length], as: UTF8.self).split(whereSeparator: \.isNewline).suffix(count)
            .map(String.init)
    }

    /// Copies a log past the limit aside and empties it. Its writer appends, so it goes on at the start of the file;
    /// what is written between the copy and the emptying is the price for not asking the writer to reopen.
    func rotate(limit: Int) throws(StateFile.Failure) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return }
        guard descriptor >= 0 else { throw StateFile.Failure(path: path, errno: errno) }
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        guard size > limit else { return }
        guard let content = try StateFile.read(path, limit: size + limit) else { return }
        try StateFile.write(content, to: "\(path).1", mode: 0o640)
        guard ftruncate(descriptor, 0) == 0 else { throw StateFile.Failure(path: path, errno: errno) }
    }
}

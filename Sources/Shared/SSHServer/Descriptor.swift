import CSystemCalls
import Glibc

/// A file descriptor, closed exactly once: when nobody holds this object any more.
final class Descriptor {
    enum Outcome: Equatable {
        case moved(Int)
        /// Nothing can be moved now; poll.
        case blocked
        /// The other end is gone, or the end of the data.
        case ended
    }

    private(set) var number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { if number >= 0 { close(number) } }

    func setNonblocking() { _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK) }

    /// Gives the descriptor to an owner outside of Swift.
    func release() -> Int32 {
        defer { number = -1 }
        return number
    }

    func write(_ bytes: RawSpan) -> Outcome {
        unsafe bytes.withUnsafeBytes { buffer in
            while true {
                let count = unsafe Glibc.write(number, buffer.baseAddress, buffer.count)
                if count >= 0 { return .moved(count) }
                if errno == EINTR { continue }
                return errno == EAGAIN ? .blocked : .ended
            }
        }
    }

    /// Reads at most `limit` bytes into the front of `buffer`.
    func read(into buffer: inout [UInt8], limit: Int) -> Outcome {
        unsafe buffer.withUnsafeMutableBytes { space in
            while true {
                let count = unsafe Glibc.read(number, space.baseAddress, min(limit, space.count))
                if count > 0 { return .moved(count) }
                if count == 0 { return .ended }
                if errno == EINTR { continue }
                return errno == EAGAIN ? .blocked : .ended
            }
        }
    }
}

/// Both ends of a close-on-exec pipe.
struct PipeEnds {
    let reading: Descriptor
    let writing: Descriptor

    init(capacity: Int32) throws(SSHServerError) {
        var numbers: [Int32] = [0, 0]
        guard unsafe syscalls_pipe_cloexec(&numbers, capacity) == 0 else {
            throw SSHServerError(.child, "cannot make a pipe: \(systemErrorText(errno))")
        }
        reading = Descriptor(numbers[0])
        writing = Descriptor(numbers[1])
    }
}

/// What one turn of a loop waits for.
struct PollSet {
    private var entries: [pollfd] = []

    /// Adds a descriptor and answers the number to ask ``isReady(_:)`` with.
    mutating func add(_ descriptor: Int32, reading: Bool, writing: Bool = false) -> Int {
        let events = (reading ? POLLIN : 0) | (writing ? POLLOUT : 0)
        entries.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
        return entries.count - 1
    }

    /// Blocks until a descriptor is ready, `limit` has passed or a signal came.
    mutating func wait(_ limit: Duration) {
        let (seconds, attoseconds) = max(limit, .zero).components
        let milliseconds = min(seconds, 3600) * 1000 + attoseconds / 1_000_000_000_000_000
        let count = unsafe poll(&entries, nfds_t(entries.count), Int32(milliseconds) + 1)
        guard count < 0 else { return }
        for index in entries.indices { entries[index].revents = 0 }
    }

    func isReady(_ entry: Int?) -> Bool {
        guard let entry else { return false }
        return entries[entry].revents != 0
    }
}

/// The system's sentence for an error number.
func systemErrorText(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}

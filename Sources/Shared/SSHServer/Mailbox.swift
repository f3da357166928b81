import CSystemCalls
import Glibc
import Synchronization

/// What other threads may tell a connection's thread.
enum SessionMessage: Sendable {
    /// The handler's answer to the command of a channel.
    case response(channel: Int, SSHResponse)
    /// Take no further commands and end when the running ones have ended.
    case drain
    /// End now.
    case abort
}

/// Messages for one connection's thread, with a descriptor that polls readable while there are any.
final class Mailbox: Sendable {
    private let messages = Mutex<[SessionMessage]>([])
    /// Nonblocking event counter; -1 never occurs, the initializer throws instead.
    let descriptor: Int32

    init() throws(SSHServerError) {
        descriptor = syscalls_eventfd()
        guard descriptor >= 0 else {
            throw SSHServerError(.session, "cannot make an eventfd: \(systemErrorText(errno))")
        }
    }

    deinit { close(descriptor) }

    func post(_ message: SessionMessage) {
        messages.withLock { $0.append(message) }
        var one: UInt64 = 1
        // A full counter already polls readable, so the result does not matter.
        _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    func takeAll() -> [SessionMessage] {
        var count: UInt64 = 0
        // EAGAIN only means that nobody has posted since the last call.
        _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
        return messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }
}

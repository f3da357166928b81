import CSystemCalls
import Glibc

/// Wakes one thread that waits in poll(2) for sockets and for work from elsewhere.
///
/// Owns an eventfd. Signals before the wait are not lost and several of them count as one.
package final class WakeSignal: Sendable {
    /// The descriptor to poll for readability.
    package let descriptor: CInt

    /// Makes a signal.
    ///
    /// Running out of descriptors at start leaves a signal whose waiters fall back on their time limits.
    package init() {
        descriptor = syscalls_eventfd()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Wakes the waiting thread, from any thread and without blocking.
    package func signal() {
        var one: UInt64 = 1
        _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Waits until the signal is given, `socket` has one of `events`, or `limit` has passed.
    ///
    /// Takes the signal. A negative `socket` waits for the signal alone; nil as `limit` waits without end.
    /// - Returns: whether the socket has an event, which includes errors and hang-ups.
    package func wait(alsoFor socket: CInt = -1, events: CInt = POLLIN, limit: Duration?) -> Bool {
        var descriptors = (
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(events), revents: 0)
        )
        unsafe withUnsafeMutableBytes(of: &descriptors) { bytes in
            _ = unsafe poll(bytes.assumingMemoryBound(to: pollfd.self).baseAddress, 2, Self.milliseconds(limit))
        }
        if descriptors.0.revents != 0 {
            var count: UInt64 = 0
            _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
        }
        return descriptors.1.revents != 0
    }

    private static func milliseconds(_ limit: Duration?) -> CInt {
        guard let limit else { return -1 }
        let (seconds, attoseconds) = limit.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        // Rounded up, so that a wait never ends just before its instant and spins.
        return CInt(min(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000, 3_600_000))
    }
}

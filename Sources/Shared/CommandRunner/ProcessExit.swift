import CSystemCalls
import ConcurrencyPrimitives
import Glibc

extension ProcessIdentity {
    /// Returns once the process has ended, at once when it already has. It need not be a child of ours.
    ///
    /// - Throws: `CancellationError` when the waiting task is cancelled; the process is left alone.
    package func waitForExit() async throws {
        try Task.checkCancellation()
        guard let watch = ExitWatch(pid: pid) else { return }
        // The number may have been taken over between reading the start time and opening the descriptor.
        guard isAlive else { return }
        await withTaskCancellationHandler {
            await watch.wait()
        } onCancel: {
            watch.cancel()
        }
        try Task.checkCancellation()
    }

    /// Waits like ``waitForExit()`` for at most `limit`.
    /// - Returns: whether the process has ended.
    package func waitForExit(within limit: Duration) async throws -> Bool {
        do {
            try await withDeadline(limit) { try await waitForExit() }
            return true
        } catch is DeadlineExceeded {
            return !isAlive
        }
    }

    /// Asks the process to end with SIGTERM, waits, and ends it with SIGKILL.
    package func stop(patience: Duration, signal: Int32 = SIGTERM, wholeGroup: Bool = false) async throws {
        _ = wholeGroup ? sendToGroup(signal: signal) : send(signal: signal)
        if try await waitForExit(within: patience) { return }
        _ = wholeGroup ? sendToGroup(signal: SIGKILL) : send(signal: SIGKILL)
        _ = try await waitForExit(within: .seconds(5))
    }
}

/// A descriptor that tells the end of a process, and one that ends the waiting for it.
private final class ExitWatch: Sendable {
    private let process: Int32
    private let cancellation: Int32

    /// nil when there is no such process.
    init?(pid: Int32) {
        // Local names, because an object whose members are all set runs its deinit when its init fails.
        let opened = syscalls_pidfd_open(pid)
        guard opened >= 0 else { return nil }
        let made = syscalls_eventfd()
        guard made >= 0 else {
            close(opened)
            return nil
        }
        process = opened
        cancellation = made
    }

    deinit {
        close(process)
        close(cancellation)
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            OperatingSystemThread.start(name: "exit-watch", stackSize: 128 << 10) { [self] in
                var descriptors = [
                    pollfd(fd: process, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: cancellation, events: Int16(POLLIN), revents: 0),
                ]
                while poll(&descriptors, 2, -1) < 0, errno == EINTR {}
                continuation.resume()
            }
        }
    }

    func cancel() {
        var one: UInt64 = 1
        // An eventfd takes eight bytes or fails because it is already set; either way the waiter wakes.
        _ = write(cancellation, &one, 8)
    }
}

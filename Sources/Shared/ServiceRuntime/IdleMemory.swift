import CSystemCalls
import ServiceLifecycle

/// Keeps what an idle process holds small.
///
/// Most of an idle server's resident memory are pages of its own program that only its start or some rare work needed;
/// the kernel takes them back only when memory is short. Given back now and then, a server holds what it uses: about
/// half. A page that is needed again costs a microsecond, since the file cache still has it.
package struct IdleMemory: Service {
    private let pause: Duration

    /// When a start is over, even on a busy machine.
    private static let firstPause = Duration.seconds(15)

    /// - Parameter pause: time between two releases; a busy server gets its pages back at once each time.
    package init(pause: Duration = .seconds(600)) { self.pause = pause }

    /// Releases after the start and then now and then, until shutdown or cancellation.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var next = Self.firstPause
            while true {
                do {
                    try await Task.sleep(for: next)
                } catch {
                    // Only the end of the process ends the sleep.
                    return
                }
                Self.release()
                next = pause
            }
        }
    }

    /// Gives back at once what is not in use.
    package static func release() { syscalls_release_idle_memory() }
}

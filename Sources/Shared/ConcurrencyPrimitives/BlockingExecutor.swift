import Dispatch

/// A serial executor whose jobs may block: one libdispatch queue of its own, apart from Swift's shared pool.
///
/// Give it to an actor as `unownedExecutor` so that every method runs one at a time off the shared pool. libdispatch
/// stops at 255 threads a process, so keep the number of executors that block at once well below.
package final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    package init(label: String) { queue = DispatchQueue(label: label) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

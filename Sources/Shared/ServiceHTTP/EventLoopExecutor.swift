import NIOCore

/// Runs the jobs of tasks on an event loop.
///
/// For tasks that serve one connection: between the connection and the task no thread has to be woken, and a writer
/// learns at once when the connection takes no more. Whoever runs there must not block.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

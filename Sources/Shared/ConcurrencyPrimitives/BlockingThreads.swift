import Synchronization

/// A fixed number of threads for work that blocks or burns time, with a bounded queue in front.
///
/// The threads live until the object goes away. Work still queued then is finished first.
package final class BlockingThreads: Sendable {
    /// The queue in front of the threads is full; try again later.
    package struct Busy: Error, Equatable {}

    private let shared: BlockingQueue

    /// - Parameters:
    ///   - count: number of threads, at least 1.
    ///   - queueLimit: how many jobs may wait before ``run(_:)`` answers ``Busy``.
    package init(label: String, count: Int, queueLimit: Int) {
        shared = BlockingQueue(limit: queueLimit)
        for index in 0..<max(1, count) {
            OperatingSystemThread.start(name: "\(label)-\(index)", stackSize: 1 << 20) { [shared] in
                while let job = shared.next() { job() }
            }
        }
    }

    deinit { shared.close() }

    /// Runs `body` on one of the threads and returns its result.
    ///
    /// - Throws: ``Busy`` when the queue is full, or what `body` throws. Cancellation does not interrupt a body.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let accepted = shared.add { continuation.resume(with: Result(catching: body)) }
            if !accepted { continuation.resume(throwing: Busy()) }
        }
    }
}

/// A locked queue whose readers sleep until there is work.
private final class BlockingQueue: Sendable {
    private struct State {
        /// Those before `first` are taken already.
        var jobs: [(@Sendable () -> Void)?] = []
        var first = 0
        var isClosed = false

        var count: Int { jobs.count - first }

        mutating func takeFirst() -> (@Sendable () -> Void)? {
            guard count > 0 else { return nil }
            defer {
                jobs[first] = nil
                first += 1
                if first == jobs.count {
                    jobs.removeAll(keepingCapacity: true)
                    first = 0
                } else if first >= 64, first * 2 >= jobs.count {
                    jobs.removeFirst(first)
                    first = 0
                }
            }
            return jobs[first]
        }
    }

    private let limit: Int
    private let state = ConditionLocked(State())

    init(limit: Int) { self.limit = limit }

    func add(_ job: @escaping @Sendable () -> Void) -> Bool {
        // One thread is enough for one job: waking all of them for each costs more than most jobs do.
        state.updateWakingOne { state in
            guard !state.isClosed, state.count < limit else { return false }
            state.jobs.append(job)
            return true
        }
    }

    func close() { state.update { $0.isClosed = true } }

    /// The next job, or nil once the queue is closed and empty.
    func next() -> (@Sendable () -> Void)? {
        state.wait { state in
            if let job = state.takeFirst() { return .some(job) }
            return state.isClosed ? .some(nil) : .none
        }
    }
}

import ConcurrencyPrimitives
import Synchronization

/// What callers leave for a connection's thread.
final class ConnectionCore: Sendable {
    enum Job: Sendable {
        case publish(PublishRequest)
        case operation(Operation)
        case settle(tag: UInt64, AMQPSettlement, channel: UInt16, generation: Int)
        case addConsumer(AMQPConsumer)
        case cancelConsumer(Int)
        case closeConsumer(Int)
        case stop
    }

    /// Something to do with the connection; exactly one of its closures is called, once.
    struct Operation: Sendable {
        let deadline: ContinuousClock.Instant
        let run: @Sendable (AMQPHandle) -> Void
        let fail: @Sendable (AMQPError) -> Void
    }

    private struct State {
        var jobs: [Job] = []
        var isStopped = false
    }

    /// How many jobs may wait for the thread.
    private static let jobLimit = 50_000

    let wake = WakeSignal()
    private let state = Mutex(State())
    private let lastID = Atomic<Int>(0)

    func post(_ job: Job) {
        let (isFirst, failure) = state.withLock { state -> (Bool, AMQPError?) in
            if state.isStopped { return (false, AMQPError(.closed, "the connection is closed")) }
            if case .stop = job { state.isStopped = true }
            if state.jobs.count >= Self.jobLimit, job.isRefusable {
                return (false, AMQPError(.busy, "too many operations wait for the broker"))
            }
            state.jobs.append(job)
            return (state.jobs.count == 1, nil)
        }
        if let failure { job.refuse(failure) }
        if isFirst { wake.signal() }
    }

    func takeJobs() -> [Job] {
        state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
    }

    func nextID() -> Int { lastID.wrappingAdd(1, ordering: .relaxed).newValue }
}

extension ConnectionCore.Job {
    /// Settlements and ends of subscriptions are always taken: they make room.
    fileprivate var isRefusable: Bool {
        switch self {
        case .publish, .operation: true
        case .settle, .addConsumer, .cancelConsumer, .closeConsumer, .stop: false
        }
    }

    func refuse(_ error: AMQPError) {
        switch self {
        case .publish(let request): request.continuation.resume(returning: .failure(error))
        case .operation(let operation): operation.fail(error)
        case .addConsumer(let consumer): consumer.finish()
        case .settle, .cancelConsumer, .closeConsumer, .stop: break
        }
    }
}

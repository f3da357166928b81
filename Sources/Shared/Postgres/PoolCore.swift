import ConcurrencyPrimitives
import Logging
import PlatformModel
import Synchronization

/// The pool's queue, shared by callers, the connections' threads and the watchdog.
///
/// Lives until it is closed: the threads hold it.
final class PoolCore: Sendable {
    let configuration: PostgresPool.Configuration
    let metrics: PoolMetrics
    let logger: Logger
    private let state = Mutex(PoolState())
    private let watchdog = WakeSignal()

    init(configuration: PostgresPool.Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        metrics = PoolMetrics()
    }

    /// Starts the threads; they connect when there is work.
    func start() {
        for number in 1...max(1, configuration.size) {
            let worker = PoolWorker(core: self)
            OperatingSystemThread.start(name: "postgres-\(number)", stackSize: 512 << 10) { worker.run() }
        }
        OperatingSystemThread.start(name: "postgres-watch", stackSize: 128 << 10) { [self] in watch() }
    }

    func submit(_ request: StatementRequest) {
        let deadline = request.created + configuration.acquireLimit
        let submission = state.withLock { state in
            let submission = state.submit(request, deadline: deadline)
            // Posted under the lock: the worker that was idle finds it when it asks whether it still is.
            if case .assigned(let worker) = submission { worker.post(.run(request)) }
            return submission
        }
        switch submission {
        case .refused: request.finish(.failure(PostgresError(.closed, detail: "the pool is shut down")))
        case .assigned(let worker): worker.wake.signal()
        case .queued(let worker, let wasEmpty):
            worker?.wake.signal()
            if wasEmpty { watchdog.signal() }
        }
    }

    /// Closes the pool; work that runs already ends as usual.
    func close() {
        let released = state.withLock { $0.close() }
        for request in released.requests {
            request.finish(.failure(PostgresError(.closed, detail: "the pool is shut down")))
        }
        for worker in released.workers { worker.wake.signal() }
        watchdog.signal()
    }

    /// Fails the requests that found no connection in time.
    private func watch() {
        while true {
            let now = ContinuousClock.now
            let (expiry, deadline, isClosed) = state.withLock { state in
                (state.expire(at: now), state.nextDeadline, state.isClosed)
            }
            for request in expiry.expired where request.finish(.failure(expiry.failure)) {
                metrics.count(expiry.failure)
            }
            if isClosed { return }
            _ = watchdog.wait(limit: deadline.map { $0 - now })
        }
    }

    // MARK: - For the connections' threads

    func next(for worker: PoolWorker) -> PoolState.Next { state.withLock { $0.next(for: worker) } }

    func withdraw(_ worker: PoolWorker) -> Bool { state.withLock { $0.withdraw(worker) } }

    func wantsConnection(_ worker: PoolWorker) -> Bool? { state.withLock { $0.wantsConnection(worker) } }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func putBack(_ request: StatementRequest) {
        let deadline = request.created + configuration.acquireLimit
        state.withLock { $0.putBack(request, deadline: deadline) }
        watchdog.signal()
    }

    func didConnect() {
        let connected = state.withLock { state in
            state.didConnect()
            return state.connected
        }
        metrics.recordConnections(connected)
    }

    func didDisconnect() {
        let connected = state.withLock { state in
            state.didDisconnect()
            return state.connected
        }
        metrics.recordConnections(connected)
    }

    func didFail(_ error: PostgresError) {
        metrics.count(error)
        state.withLock { $0.didFail(error) }
    }
}

import ConcurrencyPrimitives
import Synchronization

/// One caller's wait for a connection's work, answered exactly once.
final class StatementRequest: Sendable {
    enum Work: Sendable {
        case statement(SQL)
        case lease
    }

    enum Answer: Sendable {
        case result(ResultHandle)
        case lease(Lease)
    }

    typealias Outcome = Result<Answer, PostgresError>

    private enum State {
        /// Not yet awaited; becomes waiting or finished.
        case new
        /// Queued; becomes running or finished.
        case waiting(CheckedContinuation<Outcome, Never>)
        /// On a connection; becomes finished.
        case running(CheckedContinuation<Outcome, Never>, WakeSignal)
        case finished
    }

    let work: Work
    let created = ContinuousClock.now
    private let state = Mutex(State.new)
    private let isCancelled = Atomic<Bool>(false)

    init(_ work: Work) {
        self.work = work
    }

    /// Whether the caller does not want the answer any more.
    var isCancelRequested: Bool { isCancelled.load(ordering: .acquiring) }

    /// Waits for the answer after handing the request over by `enqueue`.
    ///
    /// - Parameter isCancellable: false for statements that must end, such as ROLLBACK.
    func answer(isCancellable: Bool = true, enqueue: (StatementRequest) -> Void) async -> Outcome {
        guard isCancellable else { return await wait(enqueue) }
        return await withTaskCancellationHandler {
            await wait(enqueue)
        } onCancel: {
            cancel()
        }
    }

    private func wait(_ enqueue: (StatementRequest) -> Void) async -> Outcome {
        await withCheckedContinuation { continuation in
            state.withLock { $0 = .waiting(continuation) }
            if isCancelRequested { cancel() } else { enqueue(self) }
        }
    }

    /// Takes the request for execution; false when it was answered meanwhile.
    func start(on wake: WakeSignal) -> Bool {
        state.withLock { state in
            guard case .waiting(let continuation) = state else { return false }
            state = .running(continuation, wake)
            return true
        }
    }

    /// Answers the caller; false when it was answered before.
    @discardableResult
    func finish(_ outcome: Outcome) -> Bool {
        let continuation = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            switch state {
            case .new, .finished: return nil
            case .waiting(let continuation), .running(let continuation, _):
                state = .finished
                return continuation
            }
        }
        continuation?.resume(returning: outcome)
        return continuation != nil
    }

    private func cancel() {
        isCancelled.store(true, ordering: .releasing)
        let wake = state.withLock { state -> WakeSignal? in
            if case .running(_, let wake) = state { return wake }
            return nil
        }
        if let wake {
            wake.signal()
        } else {
            finish(.failure(PostgresError(.cancelled, detail: "cancelled while waiting for a connection")))
        }
    }
}

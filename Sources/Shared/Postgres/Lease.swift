import ConcurrencyPrimitives
import Synchronization

/// A connection set aside for one transaction or session.
///
/// Whoever got it ends it exactly once, on every path.
final class Lease: Sendable {
    private struct State {
        var isEnded = false
        var hasConflict = false
    }

    private let worker: PoolWorker
    private let state = Mutex(State())

    init(worker: PoolWorker) {
        self.worker = worker
    }

    /// Whether a statement failed in a way that running the whole transaction again may cure.
    var hasConflict: Bool { state.withLock { $0.hasConflict } }

    /// Runs a statement on the connection, after those given before it.
    func run(_ sql: SQL, isCancellable: Bool = true) async throws(PostgresError) -> ResultHandle {
        let request = StatementRequest(.statement(sql))
        let outcome = await request.answer(isCancellable: isCancellable) { request in
            let isPosted = state.withLock { state in
                guard !state.isEnded else { return false }
                worker.post(.run(request))
                return true
            }
            if isPosted {
                worker.wake.signal()
            } else {
                request.finish(.failure(PostgresError(.closed, detail: "the transaction has ended")))
            }
        }
        do throws(PostgresError) {
            guard case .result(let result) = try outcome.get() else {
                throw PostgresError(.closed, detail: "a statement was answered by a lease")
            }
            return result
        } catch {
            if error.isSerializationConflict { state.withLock { $0.hasConflict = true } }
            throw error
        }
    }

    /// Gives the connection back, or closes it when its state is in doubt.
    func end(discard: Bool) {
        let isFirst = state.withLock { state in
            defer { state.isEnded = true }
            if !state.isEnded { worker.post(.endLease(discard: discard)) }
            return !state.isEnded
        }
        if isFirst { worker.wake.signal() }
    }
}

/// Runs operations of the same key one after another, in order of arrival; different keys run side by side.
///
/// A waiter that is cancelled leaves the queue with `CancellationError` and never runs.
package actor KeyedQueue<Key: Hashable & Sendable> {
    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private var waiters: [Key: [Waiter]] = [:]
    private var nextID: UInt64 = 0

    package init() {}

    package func withKey<Value: Sendable>(
        _ key: Key, _ operation: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await enter(key)
        defer { leave(key) }
        return try await operation()
    }

    private func enter(_ key: Key) async throws {
        try Task.checkCancellation()
        guard waiters[key] != nil else {
            waiters[key] = []
            return
        }
        nextID += 1
        let id = nextID
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    waiters[key, default: []].append(Waiter(id: id, continuation: continuation))
                }
            }
        } onCancel: {
            // The actor is the only one that may touch the queue; nobody waits for this hop.
            Task { await self.cancel(id, of: key) }
        }
    }

    private func cancel(_ id: UInt64, of key: Key) {
        guard let index = waiters[key]?.firstIndex(where: { $0.id == id }) else { return }
        waiters[key]?.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    private func leave(_ key: Key) {
        guard var queue = waiters[key] else { return }
        if queue.isEmpty {
            waiters[key] = nil
        } else {
            let next = queue.removeFirst()
            waiters[key] = queue
            next.continuation.resume()
        }
    }
}

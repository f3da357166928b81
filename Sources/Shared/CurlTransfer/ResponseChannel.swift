import Synchronization

/// Carries one response from the transfer thread to its reader, holding at most about `capacity` bytes.
///
/// Every method returns at once or suspends without a lock; the transfer thread never waits here.
final class ResponseChannel: Sendable {
    fileprivate enum Ending {
        case complete
        case failed(any Error)
    }

    fileprivate struct State {
        var head: TransferHead?
        var buffer: [UInt8] = []
        /// The transfer thread found the buffer full and waits to be resumed.
        var isPaused = false
        var ending: Ending?
        var headWaiter: CheckedContinuation<TransferHead, any Error>?
        var chunkWaiter: CheckedContinuation<[UInt8]?, any Error>?
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int = 256 * 1024) { self.capacity = capacity }

    // MARK: - The transfer thread's side

    /// Publishes the head; only the first one counts.
    func deliver(_ head: TransferHead) {
        let waiter = state.withLock { state in
            if state.head == nil { state.head = head }
            defer { state.headWaiter = nil }
            return state.headWaiter
        }
        waiter?.resume(returning: head)
    }

    /// Takes the bytes, or refuses them all because the reader is behind; then the reader's next call reports it.
    func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (isAccepted, waiter, chunk) = state.withLock {
            state -> (Bool, CheckedContinuation<[UInt8]?, any Error>?, [UInt8]) in
            guard state.buffer.count < capacity else {
                state.isPaused = true
                return (false, nil, [])
            }
            unsafe state.buffer.append(contentsOf: bytes)
            guard let waiter = state.chunkWaiter else { return (true, nil, []) }
            state.chunkWaiter = nil
            return (true, waiter, state.takeBuffer())
        }
        waiter?.resume(returning: chunk)
        return isAccepted
    }

    /// Ends the response; the first ending counts, and what is buffered can still be read after a complete one.
    func finish(throwing error: (any Error)? = nil) {
        let (headWaiter, chunkWaiter) = state.withLock {
            state -> (CheckedContinuation<TransferHead, any Error>?, CheckedContinuation<[UInt8]?, any Error>?) in
            if state.ending == nil { state.ending = error.map { .failed($0) } ?? .complete }
            defer { (state.headWaiter, state.chunkWaiter) = (nil, nil) }
            return (state.headWaiter, state.chunkWaiter)
        }
        headWaiter?.resume(throwing: error ?? CancellationError())
        if let error { chunkWaiter?.resume(throwing: error) } else { chunkWaiter?.resume(returning: nil) }
    }

    // MARK: - The reader's side

    /// Waits for the head.
    func head() async throws -> TransferHead {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<TransferHead, any Error>? in
                if let head = state.head { return .success(head) }
                switch state.ending {
                case .failed(let error): return .failure(error)
                case .complete: return .failure(CancellationError())
                case nil:
                    state.headWaiter = continuation
                    return nil
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// Waits for bytes; nil at the end. `resume` is called when the transfer thread had been held back.
    func next(resume: () -> Void) async throws -> [UInt8]? {
        var mustResume = false
        let chunk = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<[UInt8]?, any Error>) in
            let result = state.withLock { state -> Result<[UInt8]?, any Error>? in
                if !state.buffer.isEmpty, !state.isAbandoned {
                    mustResume = state.isPaused
                    state.isPaused = false
                    return .success(state.takeBuffer())
                }
                switch state.ending {
                case .failed(let error): return .failure(error)
                case .complete: return .success(nil)
                case nil:
                    state.chunkWaiter = continuation
                    return nil
                }
            }
            if mustResume { resume() }
            if let result { continuation.resume(with: result) }
        }
        return chunk
    }
}

extension ResponseChannel.State {
    fileprivate mutating func takeBuffer() -> [UInt8] {
        let taken = buffer
        buffer = []
        return taken
    }

    /// The reader gave up, so bytes already here are not worth delivering.
    fileprivate var isAbandoned: Bool {
        if case .failed(let error) = ending { return error is CancellationError }
        return false
    }
}

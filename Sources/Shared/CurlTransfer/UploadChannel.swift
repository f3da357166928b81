import Synchronization

/// Carries a streamed request body from its source to the transfer thread, holding at most about `capacity` bytes.
final class UploadChannel: Sendable {
    /// What the transfer thread gets when it asks for bytes.
    enum Reading {
        case bytes(Int)
        /// Nothing yet: pause until the channel asks for a resume.
        case later
        case end
        case failed
    }

    private struct State {
        var buffer: [UInt8] = []
        var consumed = 0
        var isEnded = false
        var failure: (any Error)?
        var isPaused = false
        var isClosed = false
        var writer: CheckedContinuation<Void, any Error>?
        var closeAction: (@Sendable () -> Void)?
    }

    private let capacity: Int
    private let resume: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameter resume: tells the transfer thread that a paused upload can go on.
    init(capacity: Int = 256 * 1024, resume: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.resume = resume
    }

    /// What the source threw, if it did.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// Hands bytes over and waits while the peer is behind.
    func write(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let (result, mustResume) = state.withLock { state -> (Result<Void, any Error>?, Bool) in
                guard !state.isClosed else { return (.failure(CancellationError()), false) }
                if state.consumed == state.buffer.count {
                    (state.buffer, state.consumed) = (bytes, 0)
                } else {
                    state.buffer.append(contentsOf: bytes)
                }
                let mustResume = state.isPaused
                state.isPaused = false
                guard state.buffer.count - state.consumed >= capacity else { return (.success(()), mustResume) }
                state.writer = continuation
                return (nil, mustResume)
            }
            if mustResume { resume() }
            if let result { continuation.resume(with: result) }
        }
    }

    /// Marks the end of the body, or its failure.
    func end(throwing error: (any Error)? = nil) {
        let mustResume = state.withLock { state in
            guard !state.isEnded, state.failure == nil else { return false }
            if let error { state.failure = error } else { state.isEnded = true }
            defer { state.isPaused = false }
            return state.isPaused
        }
        if mustResume { resume() }
    }

    /// The transfer is over: writers fail from now on.
    func close() {
        let (writer, action) = state.withLock { state in
            state.isClosed = true
            defer { (state.writer, state.closeAction) = (nil, nil) }
            return (state.writer, state.closeAction)
        }
        writer?.resume(throwing: CancellationError())
        action?()
    }

    /// Runs `action` when the channel closes, at once if it is closed already.
    func onClose(_ action: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.closeAction = action }
            return state.isClosed
        }
        if isClosed { action() }
    }

    /// Copies waiting bytes into `target`; called by the transfer thread only.
    func read(into target: UnsafeMutableRawBufferPointer) -> Reading {
        let (reading, writer) = state.withLock { state -> (Reading, CheckedContinuation<Void, any Error>?) in
            if state.failure != nil { return (.failed, nil) }
            let available = state.buffer.count - state.consumed
            guard available > 0 else {
                if state.isEnded { return (.end, nil) }
                state.isPaused = true
                return (.later, nil)
            }
            let count = min(available, target.count)
            unsafe target.copyBytes(from: state.buffer[state.consumed..<(state.consumed + count)])
            state.consumed += count
            guard available - count < capacity / 2 else { return (.bytes(count), nil) }
            defer { state.writer = nil }
            return (.bytes(count), state.writer)
        }
        writer?.resume()
        return reading
    }
}

import Synchronization

/// Hands elements from producers to one consumer; a full channel makes producers wait.
///
/// `finish()` ends the consumer's iteration after what was sent before. Sending to a finished channel answers false.
package final class BoundedChannel<Element: Sendable>: Sendable, AsyncSequence {
    private struct State {
        var buffer: [Element] = []
        var isFinished = false
        var failure: (any Error)?
        var consumer: CheckedContinuation<Element?, any Error>?
        var producers: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>, element: Element)] = []
        var nextID: UInt64 = 0
    }

    /// What became of an offered element.
    private enum Offer {
        case refused, stored, waiting
        case handed(CheckedContinuation<Element?, any Error>)
    }

    /// Whom the end of the channel sets free.
    private struct Released {
        var consumer: CheckedContinuation<Element?, any Error>?
        var producers: [CheckedContinuation<Bool, Never>] = []
    }

    /// What a consumer finds.
    private enum Taking {
        case element(Element, CheckedContinuation<Bool, Never>?)
        case ended((any Error)?)
        case waiting
    }

    private let limit: Int
    private let state = Mutex(State())

    package init(limit: Int) { self.limit = Swift.max(1, limit) }

    /// Waits for room, then hands `element` over.
    ///
    /// - Returns: false when the channel is finished or the caller was cancelled: the element is not delivered.
    @discardableResult
    package func send(_ element: Element) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                offer(element, id: id, continuation: continuation)
            }
        } onCancel: {
            let waiting = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let index = state.producers.firstIndex(where: { $0.id == id }) else { return nil }
                return state.producers.remove(at: index).continuation
            }
            waiting?.resume(returning: false)
        }
    }

    /// Hands `element` over at once when there is room.
    package func trySend(_ element: Element) -> Bool {
        let result = state.withLock { state -> (accepted: Bool, consumer: CheckedContinuation<Element?, any Error>?) in
            if state.isFinished { return (false, nil) }
            if let consumer = state.consumer {
                state.consumer = nil
                return (true, consumer)
            }
            guard state.buffer.count < limit else { return (false, nil) }
            state.buffer.append(element)
            return (true, nil)
        }
        result.consumer?.resume(returning: element)
        return result.accepted
    }

    /// Ends the channel; elements already sent are still delivered, then `failure` is thrown if there is one.
    package func finish(throwing failure: (any Error)? = nil) {
        let released = state.withLock { state in
            guard !state.isFinished else { return Released() }
            state.isFinished = true
            state.failure = failure
            defer {
                state.consumer = nil
                state.producers = []
            }
            return Released(consumer: state.consumer, producers: state.producers.map(\.continuation))
        }
        for producer in released.producers { producer.resume(returning: false) }
        if let failure {
            released.consumer?.resume(throwing: failure)
        } else {
            released.consumer?.resume(returning: nil)
        }
    }

    private func offer(_ element: Element, id: UInt64, continuation: CheckedContinuation<Bool, Never>) {
        let outcome = state.withLock { state -> Offer in
            // Asked under the lock: a cancellation that comes later finds the continuation stored below.
            if state.isFinished || Task.isCancelled { return .refused }
            if let consumer = state.consumer {
                state.consumer = nil
                return .handed(consumer)
            }
            if state.buffer.count < limit {
                state.buffer.append(element)
                return .stored
            }
            state.producers.append((id, continuation, element))
            return .waiting
        }
        switch outcome {
        case .refused: continuation.resume(returning: false)
        case .stored: continuation.resume(returning: true)
        case .waiting: break
        case .handed(let consumer):
            consumer.resume(returning: element)
            continuation.resume(returning: true)
        }
    }

    /// The next element; nil at the end or when the consumer is cancelled.
    fileprivate func next() async throws -> Element? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                take(continuation)
            }
        } onCancel: {
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                return state.consumer
            }
            consumer?.resume(returning: nil)
        }
    }

    private func take(_ continuation: CheckedContinuation<Element?, any Error>) {
        let outcome = state.withLock { state -> Taking in
            // Asked under the lock: a cancellation that comes later finds the continuation stored below.
            if Task.isCancelled { return .ended(nil) }
            if !state.buffer.isEmpty {
                let element = state.buffer.removeFirst()
                guard !state.producers.isEmpty else { return .element(element, nil) }
                let producer = state.producers.removeFirst()
                state.buffer.append(producer.element)
                return .element(element, producer.continuation)
            }
            if state.isFinished {
                defer { state.failure = nil }
                return .ended(state.failure)
            }
            precondition(state.consumer == nil, "a bounded channel has one consumer")
            state.consumer = continuation
            return .waiting
        }
        switch outcome {
        case .element(let element, let producer):
            producer?.resume(returning: true)
            continuation.resume(returning: element)
        case .ended(let failure):
            if let failure { continuation.resume(throwing: failure) } else { continuation.resume(returning: nil) }
        case .waiting: break
        }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(channel: self) }

    package struct Iterator: AsyncIteratorProtocol {
        let channel: BoundedChannel

        package mutating func next() async throws -> Element? { try await channel.next() }
    }
}

import Synchronization

/// The queue between the store and one reader that follows an app.
///
/// Bounded: when the reader is too slow the oldest waiting lines are dropped, and the reader is told how many.
package final class Follower: Sendable {
    package enum Event: Sendable, Equatable {
        case lines([LogLine])
        /// So many lines were lost because the reader is too slow.
        case dropped(Int)
        /// Nothing happened for a while; the connection wants to be kept alive.
        case heartbeat
    }

    private struct State {
        var waiting: [LogLine] = []
        var bytes = 0
        var dropped = 0
        var heartbeat = false
        var isFinished = false
        var reader: CheckedContinuation<Event?, Never>?
    }

    let filter: LogFilter
    private let lineLimit: Int
    private let byteLimit: Int
    private let state = Mutex(State())

    init(filter: LogFilter, lineLimit: Int = 5000, byteLimit: Int = 2 << 20) {
        self.filter = filter
        self.lineLimit = lineLimit
        self.byteLimit = byteLimit
    }

    /// Hands lines to the reader; returns how many had to be dropped for them.
    @discardableResult
    func offer(_ lines: [LogLine]) -> Int {
        let matching = lines.filter(filter.matches)
        guard !matching.isEmpty else { return 0 }
        return wake { state in
            guard !state.isFinished else { return 0 }
            state.waiting += matching
            state.bytes += matching.reduce(0) { $0 + $1.line.text.utf8.count }
            return trim(&state)
        }
    }

    private func trim(_ state: inout State) -> Int {
        var excess = max(0, state.waiting.count - lineLimit)
        var bytes = state.bytes - state.waiting[..<excess].reduce(0) { $0 + $1.line.text.utf8.count }
        while bytes > byteLimit, excess < state.waiting.count {
            bytes -= state.waiting[excess].line.text.utf8.count
            excess += 1
        }
        state.waiting.removeFirst(excess)
        state.bytes = bytes
        state.dropped += excess
        return excess
    }

    /// Gives an idle reader a sign of life.
    package func beat() {
        wake { $0.heartbeat = true }
    }

    /// Ends the stream once the reader has what is waiting.
    package func finish() {
        wake { $0.isFinished = true }
    }

    /// The next event; nil at the end, or when the task is cancelled.
    package func next() async -> Event? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let event = state.withLock { state -> Event?? in
                    if let event = Self.take(&state) { return .some(event) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    state.reader = continuation
                    return .none
                }
                if let event { continuation.resume(returning: event) }
            }
        } onCancel: {
            finish()
        }
    }

    private static func take(_ state: inout State) -> Event? {
        if state.dropped > 0 {
            defer { state.dropped = 0 }
            return .dropped(state.dropped)
        }
        if !state.waiting.isEmpty {
            defer {
                state.waiting = []
                state.bytes = 0
            }
            state.heartbeat = false
            return .lines(state.waiting)
        }
        guard state.heartbeat else { return nil }
        state.heartbeat = false
        return .heartbeat
    }

    /// Changes the state and wakes the reader if there is something for it now.
    @discardableResult
    private func wake<Result: Sendable>(_ change: (inout sending State) -> Result) -> Result {
        let (result, reader, event) = state.withLock { state in
            let result = change(&state)
            guard let reader = state.reader else {
                return (result, CheckedContinuation<Event?, Never>?.none, Event?.none)
            }
            let event = Self.take(&state)
            guard event != nil || state.isFinished else { return (result, nil, nil) }
            state.reader = nil
            return (result, reader, event)
        }
        reader?.resume(returning: event)
        return result
    }
}

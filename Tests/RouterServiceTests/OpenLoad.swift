import Synchronization
import TestSupport

/// A load whose requests start at fixed moments, none waiting for another's answer: a slow server cannot hide from it.
final class OpenLoad: Sendable {
    private struct State {
        var isOver = false
        var started = 0
        var underWay: Set<Int> = []
        var failures: [String] = []
        var slowest = Duration.zero
    }

    /// Requests a second.
    let rate: Int
    private let state = Mutex(State())

    init(rate: Int) { self.rate = rate }

    var started: Int { state.withLock { $0.started } }
    /// The number of the oldest request without an answer; that of the next one when all are answered.
    var oldestUnderWay: Int { state.withLock { $0.underWay.min() ?? $0.started } }
    /// What went wrong with each failed request.
    var failures: [String] { state.withLock { $0.failures } }
    /// The longest any answer took.
    var slowest: Duration { state.withLock { $0.slowest } }

    /// Waits until `count` more requests were sent and the ones before them answered.
    func advance(by count: Int) async throws {
        let reached = started
        try await eventually("\(count) requests") { started >= reached + count && oldestUnderWay >= reached }
    }

    /// Sends requests while `body` runs, and waits for the last answer.
    ///
    /// - Parameter send: makes one request, given its number, and returns the answer's status.
    func run(
        send: @escaping @Sendable (Int) async throws -> Int, while body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.sendAll(send) }
            group.addTask {
                defer { self.state.withLock { $0.isOver = true } }
                try await body()
            }
            try await group.waitForAll()
        }
    }

    private func sendAll(_ send: @escaping @Sendable (Int) async throws -> Int) async {
        let start = ContinuousClock.now
        await withDiscardingTaskGroup { group in
            while !state.withLock({ $0.isOver }) {
                let number = state.withLock { state in
                    state.underWay.insert(state.started)
                    state.started += 1
                    return state.started - 1
                }
                group.addTask { await self.one(number, send) }
                let next = start + .microseconds(1_000_000 / rate * (number + 1))
                do { try await Task.sleep(until: next, clock: .continuous) } catch { break }
            }
        }
    }

    private func one(_ number: Int, _ send: @Sendable (Int) async throws -> Int) async {
        let began = ContinuousClock.now
        var failure: String?
        do {
            let status = try await send(number)
            if status != 200 { failure = "request \(number): \(status)" }
        } catch {
            failure = "request \(number): \(error)"
        }
        let duration = ContinuousClock.now - began
        state.withLock { state in
            state.underWay.remove(number)
            if let failure { state.failures.append(failure) }
            state.slowest = max(state.slowest, duration)
        }
    }
}

/// The latest value one task left for another.
final class Latest<Value: Sendable>: Sendable {
    private let held = Mutex<Value?>(nil)

    var value: Value? {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}

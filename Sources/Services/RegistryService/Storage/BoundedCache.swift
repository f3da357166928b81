import Synchronization

/// Values by key, which may be forgotten at any time: when there are too many of them, all are.
final class BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var values: [Key: Value] = [:]
        var weight = 0
    }

    private let limit: Int
    private let budget: Int
    private let weigh: @Sendable (Value) -> Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: how many values are kept at most.
    ///   - budget: how much they weigh together at most.
    ///   - weigh: what one weighs, in bytes for example; the same at each question.
    init(limit: Int = 65536, budget: Int = .max, weigh: @escaping @Sendable (Value) -> Int = { _ in 0 }) {
        self.limit = limit
        self.budget = budget
        self.weigh = weigh
    }

    subscript(key: Key) -> Value? {
        get { state.withLock { $0.values[key] } }
        set {
            state.withLock { state in
                if let old = state.values.removeValue(forKey: key) { state.weight -= weigh(old) }
                guard let newValue else { return }
                let weight = weigh(newValue)
                guard weight <= budget else { return }
                if state.values.count >= limit || state.weight > budget - weight { state = State() }
                state.values[key] = newValue
                state.weight += weight
            }
        }
    }

    /// Changes a value that is kept, but not what it weighs.
    func update(_ key: Key, _ change: (inout Value) -> Void) {
        state.withLock { state in
            guard let index = state.values.index(forKey: key) else { return }
            change(&state.values.values[index])
        }
    }
}

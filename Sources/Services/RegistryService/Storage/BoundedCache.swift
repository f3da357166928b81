import Synchronization

/// Values by key, which may be forgotten at any time: when there are too many of them, all are.
final class BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let limit: Int
    private let values = Mutex<[Key: Value]>([:])

    /// - Parameter limit: how many values are kept at most.
    init(limit: Int = 65536) { self.limit = limit }

    subscript(key: Key) -> Value? {
        get { values.withLock { $0[key] } }
        set {
            values.withLock { values in
                if newValue != nil, values[key] == nil, values.count >= limit { values = [:] }
                values[key] = newValue
            }
        }
    }
}

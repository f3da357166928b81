import Synchronization

/// Carries a value out of a sendable closure.
final class Captured<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    func set(_ new: Value) { value.withLock { $0 = new } }

    func get() -> Value { value.withLock { $0 } }
}

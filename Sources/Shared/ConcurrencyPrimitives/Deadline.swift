/// An operation did not end in the time it was given.
package struct DeadlineExceeded: Error, Equatable, CustomStringConvertible {
    package let limit: Duration

    package init(limit: Duration) { self.limit = limit }

    package var description: String { "no result within \(limit)" }
}

/// Runs `operation` and cancels it when `limit` has passed.
///
/// The operation must answer to cancellation; this function returns only after it has ended.
/// - Throws: ``DeadlineExceeded`` when time ran out, `CancellationError` when the caller was cancelled, or what the
///   operation throws.
package func withDeadline<Value: Sendable>(
    _ limit: Duration,
    clock: any Clock<Duration> = ContinuousClock(),
    operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await clock.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        guard let value = first else { throw DeadlineExceeded(limit: limit) }
        return value
    }
}

/// Something did not become true in time.
package struct NeverHappened: Error, CustomStringConvertible {
    package let what: String
    package let limit: Duration
    package let last: String?

    package var description: String {
        "\(what) did not happen within \(limit)" + (last.map { "; last error: \($0)" } ?? "")
    }
}

/// Asks `condition` until it is true: for states of other processes that send no event.
///
/// An error of the condition counts as "not yet".
package func eventually(
    within limit: Duration = .seconds(20), _ what: String = "the condition",
    isolation: isolated (any Actor)? = #isolation,
    condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    var pause = Duration.milliseconds(5)
    var last: String?
    while true {
        do {
            if try await condition() { return }
            last = nil
        } catch let error as CancellationError {
            throw error
        } catch {
            last = "\(error)"
        }
        guard ContinuousClock.now < end else { throw NeverHappened(what: what, limit: limit, last: last) }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .milliseconds(250))
    }
}

/// Why a handler did not do a task, and whether another attempt may help.
///
/// Any other error a handler throws counts as `.retry`.
package enum TaskFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Something the handler depends on was not there.
    case retry(String)
    /// The task can never succeed; it becomes a dead letter at once.
    case permanent(String)

    package var description: String {
        switch self {
        case .retry(let reason), .permanent(let reason): reason
        }
    }
}

/// Does the tasks of one name and version. Called again for the same task after a crash, so it must be idempotent.
package struct TaskHandler: Sendable {
    package let name: String
    package let version: Int
    let handle: @Sendable (TaskEnvelope) async throws -> Void

    package init(_ name: String, version: Int = 1, handle: @escaping @Sendable (TaskEnvelope) async throws -> Void) {
        self.name = name
        self.version = version
        self.handle = handle
    }
}

package import FoundationEssentials
package import PlatformModel

/// A task that shall be published once the transaction that wrote it has committed.
package struct OutboxMessage: Sendable, Equatable {
    /// The task's identity: a message published twice carries the same one.
    package let id: UUID
    package let queue: String
    /// What kind of task it is, such as `app.deploy`.
    package let name: String
    package let version: Int
    package let payload: JSONValue
    package let created: Date
    /// Longest time a handler may take.
    package let deadlineSeconds: Int

    /// - Parameter deadlineSeconds: give it for work that knows its own limit, which must lie below.
    package init(
        id: UUID = UUID(), queue: String, name: String, version: Int = 1, payload: JSONValue, created: Date = .now,
        deadlineSeconds: Int = 900
    ) {
        self.id = id
        self.queue = queue
        self.name = name
        self.version = version
        self.payload = payload
        self.created = created
        self.deadlineSeconds = deadlineSeconds
    }
}

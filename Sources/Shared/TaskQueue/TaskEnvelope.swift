package import FoundationEssentials
package import PlatformModel

/// A task as it travels: who it is and which rows it is about, never the state itself.
package struct TaskEnvelope: Codable, Sendable, Equatable {
    package let id: UUID
    /// What kind of task it is, such as `app.deploy`; with ``version`` it chooses the handler.
    package let name: String
    package let version: Int
    /// 1 for the first delivery, growing with each retry.
    package var attempt: Int
    package let created: Date
    /// Longest time a handler may take.
    package let deadlineSeconds: Int
    package let payload: JSONValue

    package enum CodingKeys: String, CodingKey {
        case id, name, version, attempt, created, payload
        case deadlineSeconds = "deadline_seconds"
    }

    package init(
        id: UUID = UUID(), name: String, version: Int = 1, attempt: Int = 1, created: Date = .now,
        deadlineSeconds: Int = 900, payload: JSONValue
    ) {
        self.id = id
        self.name = name
        self.version = version
        self.attempt = attempt
        self.created = created
        self.deadlineSeconds = deadlineSeconds
        self.payload = payload
    }

    /// - Throws: ``InvalidValue`` with the reason a dead letter shows.
    package init(body: [UInt8]) throws(InvalidValue) {
        do {
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            self = try decoder.decode(TaskEnvelope.self, from: Data(body))
        } catch {
            throw InvalidValue(kind: "task", message: "The message is not a task: \(error)")
        }
    }

    package func body() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = .sortedKeys
        return Array(try encoder.encode(self))
    }
}

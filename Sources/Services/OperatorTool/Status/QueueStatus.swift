/// One task queue of the platform: what waits in it, and what was given up.
struct QueueStatus: Codable, Sendable {
    let name: String
    let ready: Int
    let consumers: Int
    let delayed: Int
    let deadLetters: Int

    private enum CodingKeys: String, CodingKey {
        case name, ready, consumers, delayed
        case deadLetters = "dead_letters"
    }
}

extension QueueStatus {
    static func all(state: StateDirectory, settings: Settings) async throws -> [QueueStatus] { [] }
}

import TaskQueue

/// What the dead-letters commands do, as the text they show.
struct DeadLetterDesk: Sendable {
    let letters: DeadLetters
    let queues: [String]

    func list() async throws -> String {
        var table = TextTable(["ID", "QUEUE", "TASK", "ATTEMPTS", "FIRST FAILED", "REASON"])
        for letter in try await all() {
            table.rows.append([
                letter.id, letter.queue, letter.name, "\(letter.attempts)", letter.firstFailed, letter.reason,
            ])
        }
        return table.rows.isEmpty ? "There are no dead letters." : table.text
    }

    func show(_ id: String) async throws -> String {
        let letter = try await find(id)
        let lines = [
            ("id", letter.id), ("task", letter.name), ("queue", letter.queue), ("attempts", "\(letter.attempts)"),
            ("first failed", letter.firstFailed), ("reason", letter.reason), ("content", letter.body),
        ]
        return lines.map { "\($0.0.padded(to: 14))\($0.1)" }.joined(separator: "\n")
    }

    /// Puts one letter, or all, back to work.
    func retry(_ id: String?) async throws -> String {
        var chosen = try await all()
        if let id { chosen = [try await find(id)] }
        var lines: [String] = []
        for letter in chosen {
            let isBack = try await letters.retry(letter.id, in: letter.queue)
            lines.append(isBack ? "\(letter.id) is back in \(letter.queue)" : "\(letter.id) is not there any more")
        }
        return lines.isEmpty ? "There are no dead letters." : lines.joined(separator: "\n")
    }

    func drop(_ id: String) async throws -> String {
        let letter = try await find(id)
        return try await letters.drop(letter.id, in: letter.queue) ? "Dropped \(id)" : "\(id) is not there any more"
    }

    func purge(_ queue: String) async throws -> String { "Dropped \(try await letters.purge(queue)) from \(queue)" }

    private func all() async throws -> [DeadLetter] {
        var found: [DeadLetter] = []
        for queue in queues { found += try await letters.list(queue) }
        return found
    }

    private func find(_ id: String) async throws -> DeadLetter {
        guard let letter = try await all().first(where: { $0.id == id }) else {
            throw OperatorError("there is no dead letter \(id)", next: "workflow dead-letters list")
        }
        return letter
    }
}

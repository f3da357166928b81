import AMQPClient
import ArgumentParser
import TaskQueue

/// `workflow dead-letters`: tasks that were given up, and what to do with them.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Look at tasks that were given up; try them again or drop them.",
        subcommands: [List.self, Show.self, Retry.self, Purge.self], defaultSubcommand: List.self)

    /// `workflow dead-letters list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List them, oldest first.")

        @OptionGroup var options: StateOptions

        func run() async throws {
            try await DeadLettersCommand.withLetters(options) { letters in
                var table = TextTable(["ID", "QUEUE", "TASK", "ATTEMPTS", "FIRST FAILED", "REASON"])
                for letter in try await DeadLettersCommand.all(letters) {
                    table.rows.append([
                        letter.id, letter.queue, letter.name, "\(letter.attempts)", letter.firstFailed, letter.reason,
                    ])
                }
                Console.say(table.rows.isEmpty ? "There are no dead letters." : table.text)
            }
        }
    }

    /// `workflow dead-letters show <id>`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one with its content.")

        @OptionGroup var options: StateOptions
        @Argument(help: "The id from the list.") var id: String

        func run() async throws {
            try await DeadLettersCommand.withLetters(options) { letters in
                guard let letter = try await DeadLettersCommand.all(letters).first(where: { $0.id == id }) else { throw DeadLettersCommand.unknown(id) }
                let lines = [
                    ("id", letter.id), ("task", letter.name), ("queue", letter.queue), ("attempts", "\(letter.attempts)"),
                    ("first failed", letter.firstFailed), ("reason", letter.reason), ("content", letter.body),
                ]
                Console.say(lines.map { "\($0.0.padded(to: 14))\($0.1)" }.joined(separator: "\n"))
            }
        }
    }

    /// `workflow dead-letters retry <id>`
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry", abstract: "Put one, or all, back to work as a first attempt.")

        @OptionGroup var options: StateOptions
        @Argument(help: "The id from the list.") var id: String?
        @Flag(help: "All of them.") var all = false

        func run() async throws {
            try await DeadLettersCommand.withLetters(options) { letters in
                let chosen = try await DeadLettersCommand.all(letters).filter { all || $0.id == id }
                if !all, chosen.isEmpty { throw DeadLettersCommand.unknown(id ?? "") }
                for letter in chosen where try await letters.retry(letter.id, in: letter.queue) {
                    Console.say("\(letter.id) is back in \(letter.queue)")
                }
            }
        }
    }

    /// `workflow dead-letters purge`
    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "purge", abstract: "Drop one, or all of a queue, for good.")

        @OptionGroup var options: StateOptions
        @Argument(help: "The id from the list.") var id: String?
        @Option(help: "All of this queue.") var queue: String?

        func run() async throws {
            try await DeadLettersCommand.withLetters(options) { letters in
                if let queue {
                    guard TaskBroker.queues.contains(queue) else {
                        throw OperatorError("there is no queue \(queue)", next: "workflow status")
                    }
                    Console.say("Dropped \(try await letters.purge(queue)) from \(queue)")
                    return
                }
                guard let letter = try await DeadLettersCommand.all(letters).first(where: { $0.id == id }) else { throw DeadLettersCommand.unknown(id ?? "") }
                if try await letters.drop(letter.id, in: letter.queue) { Console.say("Dropped \(letter.id)") }
            }
        }
    }

    private static func withLetters(
        _ options: StateOptions, _ body: (DeadLetters) async throws -> Void
    ) async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            guard try Running.supervisor(of: state) != nil else {
                throw OperatorError("the platform is not running", next: "workflow up")
            }
            try await TaskBroker.with(state: state, settings: settings) { connection in
                try await body(DeadLetters(connection: connection))
            }
        }
    }

    private static func all(_ letters: DeadLetters) async throws -> [DeadLetter] {
        var found: [DeadLetter] = []
        for queue in TaskBroker.queues { found += try await letters.list(queue) }
        return found
    }

    private static func unknown(_ id: String) -> OperatorError {
        OperatorError("there is no dead letter \(id)", next: "workflow dead-letters list")
    }
}

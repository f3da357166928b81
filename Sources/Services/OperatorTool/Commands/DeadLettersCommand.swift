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
            try await DeadLettersCommand.run(options) { try await $0.list() }
        }
    }

    /// `workflow dead-letters show <id>`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one with its content.")

        @OptionGroup var options: StateOptions
        @Argument(help: "The id from the list.") var id: String

        func run() async throws {
            try await DeadLettersCommand.run(options) { try await $0.show(id) }
        }
    }

    /// `workflow dead-letters retry <id>`
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry", abstract: "Put one, or all, back to work as a first attempt.")

        @OptionGroup var options: StateOptions
        @Argument(help: "The id from the list.") var id: String?
        @Flag(help: "All of them.") var all = false

        func validate() throws {
            if all == (id != nil) { throw ValidationError("Name one id from workflow dead-letters list, or --all.") }
        }

        func run() async throws {
            try await DeadLettersCommand.run(options) { try await $0.retry(all ? nil : id) }
        }
    }

    /// `workflow dead-letters purge`
    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "purge", abstract: "Drop one, or all of a queue, for good.")

        @OptionGroup var options: StateOptions
        @Argument(help: "The id from the list.") var id: String?
        @Option(help: "All of this queue.") var queue: String?

        func validate() throws {
            if (queue != nil) == (id != nil) {
                throw ValidationError("Name one id from workflow dead-letters list, or --queue.")
            }
            if let queue, !TaskBroker.queues.contains(queue) {
                let known = TaskBroker.queues.joined(separator: ", ")
                throw ValidationError("There is no queue \(queue); there are \(known).")
            }
        }

        func run() async throws {
            try await DeadLettersCommand.run(options) { desk in
                if let queue { return try await desk.purge(queue) }
                return try await desk.drop(id ?? "")
            }
        }
    }

    private static func run(
        _ options: StateOptions, _ body: @Sendable (DeadLetterDesk) async throws -> String
    ) async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            guard try Running.supervisor(of: state) != nil else {
                throw OperatorError("the platform is not running", next: "workflow up")
            }
            try await TaskBroker.with(state: state, settings: settings) { connection in
                let desk = DeadLetterDesk(letters: DeadLetters(connection: connection), queues: TaskBroker.queues)
                Console.say(try await body(desk))
            }
        }
    }
}

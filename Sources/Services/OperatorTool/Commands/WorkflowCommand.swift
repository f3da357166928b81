package import ArgumentParser
import Glibc

/// The operator's program: one machine's platform from nothing to running, looked at and taken down again.
package struct WorkflowCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "workflow",
        abstract: "Run a platform as a service on this machine.",
        discussion: "Start with `workflow up`, then `workflow demo`.",
        subcommands: [
            UpCommand.self, DownCommand.self, StatusCommand.self, DoctorCommand.self, DeadLettersCommand.self,
            DemoCommand.self, BaseImagesCommand.self, CreateUserCommand.self, PasswordCommand.self,
            AddressesCommand.self, LogsCommand.self, SuperviseCommand.self,
        ])

    package init() {}

    /// Runs the command line of this process.
    package static func start() async {
        // A reader of our output that goes away must not end a start half way.
        signal(SIGPIPE, SIG_IGN)
        do {
            try await runRoot(try parseAsRoot())
        } catch {
            guard isMisuse(error) else { exit(withError: error) }
            Console.complain(fullMessage(for: error))
            Glibc.exit(2)
        }
    }

    private static func runRoot(_ parsed: any ParsableCommand) async throws {
        var command = parsed
        guard var asynchronous = parsed as? any AsyncParsableCommand else { return try command.run() }
        try await asynchronous.run()
    }

    /// Whether the command line itself was wrong; such a run ends with 2, one that failed with 1.
    static func isMisuse(_ error: any Error) -> Bool { exitCode(for: error) == .validationFailure }
}

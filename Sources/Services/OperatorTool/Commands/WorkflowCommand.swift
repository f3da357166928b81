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
        await main()
    }
}

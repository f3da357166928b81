import ArgumentParser

/// `workflow urls`, `workflow env`: where the platform is reached.
struct AddressesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "urls", abstract: "Show where the platform is reached.", aliases: ["env"])

    @OptionGroup var options: StateOptions
    @Flag(help: "As variables for a shell: eval \"$(workflow urls --shell)\".") var shell = false

    func run() async throws {
        try await reportingErrors {
            Console.say(
                shell ? try AddressTable.environment(state: options.state) : try AddressTable(state: options.state).text
            )
        }
    }
}

/// `workflow logs`: a server's log.
struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show the last lines of a platform server's log.")

    @OptionGroup var options: StateOptions
    @Argument(help: "The server, as `workflow status` names it, or supervisor.") var server: String
    @Option(name: .shortAndLong, help: "How many lines.") var lines = 100

    func run() async throws {
        try await reportingErrors {
            let (state, _) = try options.installed()
            guard server.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" }) else {
                throw OperatorError("\(server) is not the name of a server", next: "workflow status")
            }
            let found = LogFile(path: state.log(of: server)).lastLines(lines, within: 4 << 20)
            guard !found.isEmpty else {
                throw OperatorError("there is no log of \(server)", next: "workflow status")
            }
            Console.say(found.joined(separator: "\n"))
        }
    }
}

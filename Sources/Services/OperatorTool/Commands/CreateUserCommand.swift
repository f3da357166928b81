import ArgumentParser
import Glibc

/// `workflow create-user`: makes an account, since nobody can register on a new installation.
struct CreateUserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-user", abstract: "Make an account, its password read from standard input or made up.")

    @OptionGroup var options: StateOptions
    @Argument(help: "The user's name.") var user: String
    @Option(help: "The user's mail address.") var email: String
    @Flag(help: "Make an administrator of the platform.") var admin = false
    @Flag(help: "Read the password from standard input instead of making one up.") var stdin = false

    func run() async throws {
        try await reportingErrors {
            let password = stdin ? readLine() ?? "" : FirstAdministrator.makePassword()
            let kind = admin ? "create-admin" : "create-user"
            let said = try await options.passport([kind, "--username", user, "--email", email], password: password)
            if said.contains("exists") {
                throw OperatorError("there is a user \(user) already", next: "workflow password \(user)")
            }
            Console.say(stdin ? "\(user) was created." : "\(user) was created with the password \(password)")
        }
    }
}

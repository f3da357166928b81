import ArgumentParser
import CommandRunner
import Glibc
import OpenSSLCrypto

/// `workflow password`: gives a user a new password, for people who have lost theirs.
struct PasswordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "password", abstract: "Give a user a new password, read from standard input or made up.")

    @OptionGroup var options: StateOptions
    @Argument(help: "The user's name.") var user: String
    @Flag(help: "Read the password from standard input instead of making one up.") var stdin = false

    func run() async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            guard try Running.supervisor(of: state) != nil else {
                throw OperatorError("the platform is not running", next: "workflow up")
            }
            let password = stdin ? readLine() ?? "" : FirstAdministrator.makePassword()
            var command = try PlatformPlan(state: state, settings: settings, programs: .besideThisProgram())
                .passportCommand(["set-password", "--username", user])
            command.standardInput = Array("\(password)\n".utf8)
            let result = try await CommandRunner.run(command)
            guard result.exit.isSuccess else { throw OperatorError(result.errorText) }
            Console.say(stdin ? "The password of \(user) was changed." : "New password of \(user): \(password)")
        }
    }
}

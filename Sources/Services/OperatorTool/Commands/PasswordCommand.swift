import ArgumentParser
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
            let password = stdin ? readLine() ?? "" : FirstAdministrator.makePassword()
            _ = try await options.passport(["set-password", "--username", user], password: password)
            Console.say(stdin ? "The password of \(user) was changed." : "New password of \(user): \(password)")
        }
    }
}

import CommandRunner
import FoundationEssentials
import Glibc
import OpenSSLCrypto
import ServiceRuntime

/// The installation's first administrator, made once with a password shown once.
struct FirstAdministrator: Sendable {
    static let name = "admin"

    /// A password without characters people mistake for each other.
    static func makePassword() -> String {
        SecureRandom.text(20, from: "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
    }

    let state: StateDirectory
    let progress: @Sendable (ProgressEvent) -> Void

    /// Says that the administrator was made; without it, passport is asked again.
    private var marker: String { "\(state.root)/secrets/administrator" }

    /// - Parameter command: makes a command of passport from its arguments.
    func ensure(command: ([String]) -> Command) async throws -> String {
        if access(marker, F_OK) == 0 { return "\(Self.name) exists" }
        let password = Self.makePassword()
        var create = command(["create-admin", "--username", Self.name, "--email", "admin@workflow.localhost"])
        create.standardInput = Array("\(password)\n".utf8)
        let result = try await CommandRunner.check(create)
        try StateFile.write("", to: marker, mode: 0o600)
        if result.text.contains("exists") { return "\(Self.name) exists" }
        progress(.administrator(name: Self.name, password: password))
        return "\(Self.name) created"
    }
}

import ArgumentParser
import FoundationEssentials
import TestSupport
import Testing

@testable import OperatorTool

/// Command lines that are wrong, and what is said about them.
@Suite struct CommandLineTests {
    struct Misuse: CustomTestStringConvertible, Sendable {
        let line: String
        let says: String
        var testDescription: String { line }
    }

    static let misuses = [
        Misuse(line: "upp", says: "upp"),
        Misuse(line: "up --http-port 0", says: "--http-port 0 is not a port"),
        Misuse(line: "up --https-port 65536", says: "--https-port 65536 is not a port"),
        Misuse(line: "up --ssh-port x", says: "'x' is invalid for '--ssh-port <ssh-port>'"),
        Misuse(line: "up --http-port 8080 --https-port 8080", says: "cannot both have port 8080"),
        Misuse(line: "up --domain not_a_domain", says: "--domain not_a_domain is not a domain"),
        Misuse(line: "up --domain *.example.com", says: "is not a domain"),
        Misuse(line: "up --bind everywhere", says: "'everywhere' is none"),
        Misuse(line: "up --bind 127.0.0.1,", says: "'' is none"),
        Misuse(line: "up --hosts-file hosts", says: "must be an absolute path, or none"),
        Misuse(line: "up now", says: "Unexpected argument 'now'"),
        Misuse(line: "down --delete", says: "Unknown option '--delete'"),
        Misuse(line: "status --state-dir", says: "Missing value for '--state-dir"),
        Misuse(line: "doctor --jason", says: "--json"),
        Misuse(line: "dead-letters show", says: "Missing expected argument '<id>'"),
        Misuse(line: "dead-letters retry", says: "--all"),
        Misuse(line: "dead-letters retry 7 --all", says: "--all"),
        Misuse(line: "dead-letters purge", says: "--queue"),
        Misuse(line: "dead-letters purge --queue mine", says: "There is no queue mine"),
        Misuse(line: "create-user", says: "Missing expected argument"),
        Misuse(line: "create-user ada", says: "--email"),
        Misuse(line: "password", says: "Missing expected argument '<user>'"),
        Misuse(line: "logs", says: "Missing expected argument"),
    ]

    /// Such a run ends with 2; what is shown says what is wrong and how the command is used.
    @Test(arguments: misuses) func isToldWhatIsWrong(_ misuse: Misuse) throws {
        let error = #expect(throws: (any Error).self) {
            _ = try WorkflowCommand.parseAsRoot(misuse.line.split(separator: " ").map(String.init))
        }
        let thrown = try #require(error)
        #expect(WorkflowCommand.isMisuse(thrown))
        let message = WorkflowCommand.fullMessage(for: thrown)
        #expect(message.contains(misuse.says), "\(message)")
        #expect(message.contains("Usage: workflow"), "\(message)")
    }

    @Test(arguments: ["--help", "up --help", "dead-letters retry --help"]) func helpIsNoMisuse(_ line: String) throws {
        do {
            var command = try WorkflowCommand.parseAsRoot(line.split(separator: " ").map(String.init))
            try command.run()
            Issue.record("help was not shown")
        } catch {
            #expect(!WorkflowCommand.isMisuse(error))
        }
    }

    @Test func aPortRememberedForAnotherUseIsRefused() throws {
        try withState { state in
            try UpCommand.parse(["--http-port", "8123", "--hosts-file", "none"]).configure(state)
            #expect(throws: OperatorError.self) { try UpCommand.parse(["--https-port", "8123"]).configure(state) }
            #expect(try Settings.read(from: state)?.ports[.http] == 8123)
        }
    }

    @Test func leavingTheHostsFileAloneTakesTheOldBlockOut() throws {
        try withState { state in
            let hosts = "\(state.root)/hosts"
            let foreign = "127.0.0.1 localhost\n"
            try Data(foreign.utf8).write(to: URL(filePath: hosts))
            try UpCommand.parse(["--hosts-file", hosts]).configure(state)
            try HostsFile(path: hosts, owner: state.root).update(names: ["drycc.workflow.localhost"])
            try UpCommand.parse(["--hosts-file", hosts]).configure(state)
            #expect(try String(contentsOf: URL(filePath: hosts), encoding: .utf8).contains("drycc.workflow"))
            try UpCommand.parse(["--hosts-file", "none"]).configure(state)
            #expect(try String(contentsOf: URL(filePath: hosts), encoding: .utf8) == foreign)
            #expect(try Settings.read(from: state)?.hostsFile == nil)
        }
    }

    private func withState(_ body: (StateDirectory) throws -> Void) throws {
        let directory = try TemporaryDirectory("operator")
        let state = StateDirectory(root: directory.path)
        try state.prepare()
        try body(state)
        _ = consume directory
    }
}

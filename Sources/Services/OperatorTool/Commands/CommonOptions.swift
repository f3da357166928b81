import ArgumentParser
import Foundation
import Glibc

/// The option every command takes: which installation it is about.
struct StateOptions: ParsableArguments {
    @Option(
        name: .customLong("state-dir"),
        help: "The installation's directory (WORKFLOW_STATE_DIR; /var/lib/workflow for root).")
    var stateDirectory: String?

    var state: StateDirectory {
        if let stateDirectory { return StateDirectory(root: Self.absolute(stateDirectory)) }
        return StateDirectory.standard(environment: ProcessInfo.processInfo.environment, userID: geteuid())
    }

    /// One spelling for one directory, because processes and blocks of files are recognised by it.
    private static func absolute(_ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
        return whole.split(separator: "/").filter { $0 != "." }.reduce("") { "\($0)/\($1)" }
    }

    /// The installation, which must have been started once.
    func installed() throws -> (StateDirectory, Settings) {
        let state = state
        guard let settings = try Settings.read(from: state) else {
            throw OperatorError("there is no installation in \(state.root)", next: "workflow up")
        }
        return (state, settings)
    }
}

/// Runs a command's body and turns what went wrong into a message and an exit code.
func reportingErrors(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let exit as ExitCode {
        throw exit
    } catch let error as OperatorError {
        for line in error.lines { Console.complain(line) }
        throw ExitCode.failure
    } catch {
        Console.complain("workflow: \(error)")
        throw ExitCode.failure
    }
}

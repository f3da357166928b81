import CommandRunner
import FoundationEssentials
import Glibc
import ServiceRuntime

/// The demo's own clone of the sample: made once, changed by one line before each push.
struct DemoRepository: Sendable {
    let path: String
    let state: StateDirectory
    let names: PlatformNames
    let app: String

    var identityPath: String { "\(state.demo)/id_ed25519" }

    /// Makes the key pair once.
    /// - Returns: the public key.
    func ensureKey() async throws -> String {
        if access(identityPath, F_OK) != 0 {
            try await CommandRunner.check(
                Command("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "workflow-demo", "-f", identityPath]))
        }
        return (try StateFile.readText("\(identityPath).pub") ?? "").split(whereSeparator: \.isNewline).first.map(
            String.init)
            ?? ""
    }

    /// Brings the clone to a commit that has not been pushed yet.
    /// - Returns: the message of that commit.
    func commit(sample: String) async throws -> String {
        let isNew = access("\(path)/.git", F_OK) != 0
        if isNew {
            try await CommandRunner.check(Command("cp", ["-R", "--", sample, path]))
            try await git(["init", "--quiet", "--initial-branch", "main"])
        }
        let count = isNew ? 0 : Int(try await git(["rev-list", "--count", "HEAD"]).text) ?? 0
        let greeting = count == 0 ? "Hello from Workflow." : "Hello from Workflow, push \(count + 1)."
        try StateFile.write("\(greeting)\n", to: "\(path)/greeting.txt", mode: 0o644)
        try await git(["add", "--all"])
        let message = count == 0 ? "Say hello" : "Say hello once more"
        try await git(["commit", "--quiet", "--allow-empty", "--message", message])
        return message
    }

    /// Pushes to the platform with the system's git and ssh and hands over every line as it comes.
    func push(onLine: @escaping @Sendable (String) -> Void) async throws -> CommandExit {
        var command = gitCommand(["push", "--progress", names.remote(of: app), "HEAD:refs/heads/main"])
        command.environment["GIT_SSH_COMMAND"] = sshCommand
        command.deadline = .seconds(1800)
        return try await CommandRunner.stream(command) { line in
            // git overwrites its progress in place; only the last state of a line is worth showing.
            let text = line.text.split(separator: "\r").last.map(String.init) ?? ""
            if !text.isEmpty { onLine(text) }
        }
    }

    private var sshCommand: String {
        var options = [
            "ssh", "-F", "/dev/null", "-i", identityPath, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "UserKnownHostsFile=\(state.demo)/known_hosts", "-o", "StrictHostKeyChecking=accept-new",
        ]
        // Where the name leads nowhere, the address is known: it is this machine.
        if !InstallationChecks.resolves(names.builderHost) { options += ["-o", "HostName=127.0.0.1"] }
        return options.map { "'\($0.replacing("'", with: "'\\''"))'" }.joined(separator: " ")
    }

    @discardableResult
    private func git(_ arguments: [String]) async throws -> CommandResult {
        try await CommandRunner.check(gitCommand(arguments))
    }

    private func gitCommand(_ arguments: [String]) -> Command {
        Command(
            "git", arguments,
            environment: [
                "HOME": state.demo, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Demo", "GIT_COMMITTER_NAME": "Demo",
                "GIT_AUTHOR_EMAIL": "demo@workflow.localhost", "GIT_COMMITTER_EMAIL": "demo@workflow.localhost",
                "GIT_TERMINAL_PROMPT": "0",
            ], workingDirectory: path)
    }
}

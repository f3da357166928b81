import CommandRunner
import FoundationEssentials
import Logging
import Synchronization

@testable import SSHServer

/// A running server with a folder for keys and repositories; all of it is gone after ``withServer(_:_:)``.
final class SSHFixture: Sendable {
    let folder: String
    let server: SSHServer
    let authorizer = KnownKeys()
    let handler: GitCommands

    private init(folder: String, configure: (inout SSHServerConfiguration) -> Void) throws {
        self.folder = folder
        handler = GitCommands(folder: folder)
        var configuration = SSHServerConfiguration(host: "127.0.0.1", port: 0, hostKeyDirectory: folder + "/host")
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        server = try SSHServer(configuration: configuration, authorizer: authorizer, handler: handler, logger: logger)
    }

    static func withServer<Value: Sendable>(
        _ configure: (inout SSHServerConfiguration) -> Void = { _ in },
        _ body: (SSHFixture) async throws -> Value
    ) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.path + "/ssh-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { removeFolder(folder) }
        let fixture = try SSHFixture(folder: folder, configure: configure)
        fixture.server.start()
        do {
            let value = try await body(fixture)
            await fixture.server.stop(within: .seconds(5))
            return value
        } catch {
            await fixture.server.stop(within: .zero)
            throw error
        }
    }

    /// Leaving a folder behind in the temporary directory must not hide why a test failed.
    private static func removeFolder(_ folder: String) {
        do { try FileManager.default.removeItem(atPath: folder) } catch { print("folder not removed: \(error)") }
    }

    /// Makes a key; the server knows it as `user`'s unless that is nil.
    func makeKey(_ name: String, type: String = "ed25519", user: String?) async throws -> String {
        let path = "\(folder)/\(name)"
        try await CommandRunner.check(Command("ssh-keygen", ["-q", "-t", type, "-N", "", "-f", path]))
        let listing = try await CommandRunner.check(Command("ssh-keygen", ["-lf", path + ".pub"])).text
        let fingerprint = String(listing.split(separator: " ")[1])
        if let user { authorizer.add(fingerprint, user: user) }
        return path
    }

    func sshOptions(key: String?) -> [String] {
        let keyOptions = key.map { ["-i", $0, "-o", "IdentitiesOnly=yes"] } ?? []
        return keyOptions + [
            "-F", "none", "-p", String(server.port), "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=INFO", "-o", "IdentityAgent=none", "-o", "ConnectTimeout=10",
        ]
    }

    func ssh(_ arguments: [String], key: String?, input: String = "", environment: [String: String] = [:]) async throws
        -> CommandResult
    {
        try await CommandRunner.run(
            Command(
                "ssh", sshOptions(key: key) + ["git@127.0.0.1"] + arguments,
                environment: ["HOME": folder].merging(environment) { $1 }, standardInput: Array(input.utf8),
                outputLimit: 64 << 20, deadline: .seconds(40)))
    }

    func git(_ arguments: [String], key: String, in directory: String? = nil, environment: [String: String] = [:])
        async throws -> CommandResult
    {
        let command = (["ssh"] + sshOptions(key: key)).joined(separator: " ")
        let variables = [
            "HOME": folder, "GIT_SSH_COMMAND": command, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        ]
        return try await CommandRunner.run(
            Command(
                "git", arguments, environment: variables.merging(environment) { $1 },
                workingDirectory: directory ?? folder, outputLimit: 64 << 20, deadline: .seconds(60)))
    }

    func url(_ repository: String) -> String { "ssh://git@127.0.0.1:\(server.port)/\(repository)" }

    /// A work tree with one commit holding `files`.
    func makeWorkTree(_ name: String, key: String, files: [String: String]) async throws -> String {
        let path = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        _ = try await git(["init", "-q", "-b", "main"], key: key, in: path)
        for (file, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(path)/\(file)")) }
        _ = try await git(["add", "-A"], key: key, in: path)
        _ = try await git(["commit", "-qm", "first"], key: key, in: path)
        return path
    }
}

/// Keys by fingerprint; counts what it was asked.
final class KnownKeys: SSHAuthorizer {
    private struct State {
        var users: [String: String] = [:]
        var asked: [String] = []
        var isDown = false
    }

    private let state = Mutex(State())

    func add(_ fingerprint: String, user: String) { state.withLock { $0.users[fingerprint] = user } }
    func goDown() { state.withLock { $0.isDown = true } }
    var asked: [String] { state.withLock { $0.asked } }

    func authorize(_ key: SSHOfferedKey) async -> SSHAuthorization {
        state.withLock { state in
            state.asked.append(key.sha256)
            if state.isDown { return .unavailable("The directory is down.\n") }
            return state.users[key.sha256].map { .known(user: $0) } ?? .unknown
        }
    }

    func refusal(of keys: [SSHOfferedKey]) -> String {
        keys.map { "No account has the key \($0.sha256).\n" }.joined()
    }
}

/// git over bare repositories that spring into being, and a few commands to test the plumbing.
final class GitCommands: SSHCommandHandler {
    private let folder: String
    private let exits = Mutex<[Int]>([])

    init(folder: String) { self.folder = folder }

    var exitStatuses: [Int] { exits.withLock { $0 } }

    func respond(to request: SSHCommandRequest) async -> SSHResponse {
        let words = request.command.split(separator: " ", maxSplits: 1).map(String.init)
        switch words.first {
        case "whoami": return .reply(output: "\(request.identity.user) \(request.identity.fingerprint)\n", status: 0)
        case "protocol": return .reply(output: request.gitProtocol ?? "none", status: 0)
        case "refuse": return .reply(error: "not today\n", status: 3)
        case "sh": return process("/bin/sh", ["-c", words.count > 1 ? words[1] : ":"], request)
        case "git-upload-pack", "git-receive-pack":
            let name = words.last?.filter { $0.isLetter || $0.isNumber } ?? "none"
            let path = "\(folder)/repositories/\(name)"
            do {
                try await CommandRunner.check(
                    Command("git", ["init", "-q", "--bare", "-b", "main", path], environment: ["HOME": folder]))
            } catch {
                return .reply(error: "\(error)\n", status: 1)
            }
            return process("/usr/bin/git", [String(words[0].dropFirst(4)), path], request)
        default: return .reply(error: "unknown command\n", status: 127)
        }
    }

    private func process(_ executable: String, _ arguments: [String], _ request: SSHCommandRequest) -> SSHResponse {
        var environment = ["PATH": "/usr/bin:/bin", "HOME": folder]
        environment["GIT_PROTOCOL"] = request.gitProtocol
        return .process(
            SSHChildProcess(
                executable: executable, arguments: arguments, environment: environment, workingDirectory: folder,
                onExit: { [self] status in exits.withLock { $0.append(status) } }))
    }
}

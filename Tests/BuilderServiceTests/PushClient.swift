import CommandRunner
import FoundationEssentials

/// Someone with real git and ssh beside a builder: keys, work trees, pushes.
protocol PushClient: Sendable {
    var folder: String { get }
    var controller: FakeController { get }
    /// Where the builder serves SSH.
    var port: Int { get }
    /// The folder of the builder's kept repositories.
    var repositories: String { get }
}

extension PushClient {
    func makeKey(_ name: String = "ada", user: String? = "ada") async throws -> String {
        let path = "\(folder)/key-\(name)"
        try await CommandRunner.check(Command("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]))
        let listing = try await CommandRunner.check(Command("ssh-keygen", ["-lf", path + ".pub"])).text
        if let user { controller.add(key: String(listing.split(separator: " ")[1]), user: user) }
        return path
    }

    func url(_ app: String = "shop1") -> String { "ssh://git@127.0.0.1:\(port)/\(app).git" }

    @discardableResult
    func git(
        _ arguments: [String], key: String = "", in directory: String? = nil, deadline: Duration = .seconds(60),
        variables: [String: String] = [:]
    ) async throws -> CommandResult {
        var command = command(arguments, key: key, in: directory, deadline: deadline)
        command.environment.merge(variables) { _, new in new }
        return try await CommandRunner.run(command)
    }

    func command(_ arguments: [String], key: String, in directory: String?, deadline: Duration) -> Command {
        let ssh = [
            "ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none", "-o", "LogLevel=INFO",
        ]
        let environment = [
            "HOME": folder, "GIT_SSH_COMMAND": ssh.joined(separator: " "), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        ]
        return Command(
            "git", arguments, environment: environment, workingDirectory: directory ?? folder, outputLimit: 16 << 20,
            deadline: deadline)
    }

    func sshOptions(_ key: String) -> [String] {
        [
            "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none", "-p", String(port),
        ]
    }

    func ssh(_ command: [String], key: String, input: String = "") async throws -> CommandResult {
        try await CommandRunner.run(
            Command(
                "ssh", sshOptions(key) + ["git@127.0.0.1"] + command, environment: ["HOME": folder],
                standardInput: Array(input.utf8)))
    }

    /// A work tree with one commit.
    func makeTree(_ name: String = "tree", files: [String: String] = ["Dockerfile": "FROM scratch\n"]) async throws
        -> String
    {
        let path = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try await git(["init", "-q", "-b", "main"], in: path)
        try await commit(files, in: path)
        return path
    }

    func commit(_ files: [String: String], in tree: String) async throws {
        for (file, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(tree)/\(file)")) }
        try await git(["add", "-A"], in: tree)
        try await git(["commit", "-qm", "change"], in: tree)
    }

    func head(of tree: String) async throws -> String { try await git(["rev-parse", "HEAD"], in: tree).text }

    /// The object a ref of the kept repository has; nil when there is none.
    func kept(_ ref: String, app: String = "shop1") async throws -> String? {
        let path = "\(repositories)/\(app).git"
        let result = try await git(["--git-dir", path, "rev-parse", "--verify", "--quiet", ref])
        return result.exit.isSuccess ? result.text : nil
    }

    /// What git says about the soundness of a kept repository; empty when it is sound.
    func unsoundness(app: String = "shop1") async throws -> String {
        let path = "\(repositories)/\(app).git"
        let result = try await git(["--git-dir", path, "fsck", "--full", "--strict", "--no-dangling", "--no-progress"])
        return result.exit.isSuccess ? "" : "\(result.exit): \(result.errorText) \(result.text)"
    }

    /// What pushes that ended half way left in a kept repository.
    func drafts(app: String = "shop1") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(repositories)/\(app).git/objects")
            .filter { $0.hasPrefix("tmp_objdir") || $0.hasPrefix("incoming") }
    }
}

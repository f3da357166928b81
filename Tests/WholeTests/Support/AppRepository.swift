import CommandRunner
import CurlTransfer
import Foundation

/// A working copy of an app's source with the platform as its remote, used through the system's git and ssh.
struct AppRepository: Sendable {
    struct Push: Sendable {
        let exit: CommandExit
        /// What git showed of the platform's output, without git's own prefix.
        let output: String

        var isSuccess: Bool { exit.isSuccess }
        /// The output with single spaces for line breaks and indents: for sentences that were wrapped.
        var sentences: String { output.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
    }

    let path: String
    let app: String
    let user: PlatformUser

    /// A web server of busybox that shows `page.txt` and, after it, the config value `GREETING`.
    static let webApp = [
        "Dockerfile": """
        FROM docker.io/library/busybox:latest
        COPY start page.txt /app/
        EXPOSE 8080
        CMD ["sh", "/app/start"]
        """,
        "start": """
        mkdir -p /www
        echo "$(cat /app/page.txt) $GREETING" > /www/index.html
        echo "serving on $PORT"
        exec httpd -f -v -p "$PORT" -h /www
        """,
        "page.txt": "one",
    ]

    /// Makes the app and a repository of its source.
    static func make(
        _ app: String, of user: PlatformUser, files: [String: String] = webApp
    ) async throws -> AppRepository {
        try await user.makeApp(app)
        let repository = AppRepository(path: "\(user.platform.root)/work-\(app)-\(user.name)", app: app, user: user)
        try FileManager.default.createDirectory(atPath: repository.path, withIntermediateDirectories: true)
        try await repository.git(["init", "--quiet", "--initial-branch", "main"])
        try await repository.commit(files)
        return repository
    }

    /// Another working copy, whose remote may be any app and whose user may be anyone.
    func clone(as other: PlatformUser, app: String? = nil, into name: String) async throws -> AppRepository {
        let copy = AppRepository(path: "\(user.platform.root)/\(name)", app: app ?? self.app, user: other)
        try await CommandRunner.check(Command("cp", ["-R", path, copy.path]))
        return copy
    }

    func commit(_ files: [String: String], message: String = "Change") async throws {
        for (name, text) in files { try Data("\(text)\n".utf8).write(to: URL(filePath: "\(path)/\(name)")) }
        try await git(["add", "--all"])
        try await git(["commit", "--quiet", "--allow-empty", "--message", message])
    }

    func push(_ refspec: String = "HEAD:refs/heads/main") async throws -> Push {
        let result = try await CommandRunner.run(try pushCommand(refspec))
        return Push(exit: result.exit, output: Self.withoutPrefix(result.errorText))
    }

    func pushCommand(_ refspec: String = "HEAD:refs/heads/main") throws -> Command {
        try remoteCommand(["push", "--force", try remote, refspec])
    }

    /// Runs a git command that talks to the platform.
    func remoteCommand(_ arguments: [String]) throws -> Command {
        var command = gitCommand(arguments)
        command.environment["GIT_SSH_COMMAND"] = [
            "ssh -F /dev/null -i \(user.identity) -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR",
            "-o UserKnownHostsFile=\(user.platform.root)/known_hosts -o StrictHostKeyChecking=accept-new",
        ].joined(separator: " ")
        command.deadline = .seconds(180)
        return command
    }

    var remote: String { get throws { "ssh://git@127.0.0.1:\(try user.platform.port("ssh"))/\(app).git" } }

    @discardableResult
    func git(_ arguments: [String]) async throws -> String {
        try await CommandRunner.check(gitCommand(arguments)).text
    }

    private func gitCommand(_ arguments: [String]) -> Command {
        Command(
            "git", arguments,
            environment: [
                "HOME": user.platform.root, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": user.name, "GIT_AUTHOR_EMAIL": "\(user.name)@example.com",
                "GIT_COMMITTER_NAME": user.name, "GIT_COMMITTER_EMAIL": "\(user.name)@example.com",
            ], workingDirectory: path)
    }

    private static func withoutPrefix(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { line in
            let text = line.hasPrefix("remote: ") ? line.dropFirst(8) : line
            return text.reversed().drop { $0 == " " }.reversed().map(String.init).joined()
        }.joined(separator: "\n")
    }

    // MARK: - The page

    /// The app's page through the router: status and text.
    func page() async throws -> (status: Int, text: String) {
        let answer = try await user.platform.client.send(.init(url: try user.platform.url(host: app)))
        return (answer.status, answer.text.trimmingCharacters(in: .whitespacesAndNewlines))
    }
}

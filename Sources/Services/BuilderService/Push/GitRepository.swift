import CommandRunner
import PlatformModel

/// One kept bare repository and the git commands run in it.
struct GitRepository: Sendable {
    let app: AppName
    let path: String

    /// The environment of every git command: nothing of the machine's or a user's configuration.
    static let environment = [
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent",
    ]

    private func command(
        _ arguments: [String], input: String = "", outputLimit: Int = 64 << 20, deadline: Duration = .seconds(120)
    ) -> Command {
        Command(
            "git", ["--git-dir", path] + arguments, environment: Self.environment, standardInput: Array(input.utf8),
            outputLimit: outputLimit, deadline: deadline)
    }

    /// The commit behind an object, tags peeled; nil when it is none.
    func commit(of object: String) async throws -> String? {
        let result = try await CommandRunner.run(command(["rev-parse", "--verify", "--quiet", "\(object)^{commit}"]))
        return result.exit.isSuccess ? result.text : nil
    }

    func subject(of commit: String) async throws -> String {
        try await CommandRunner.check(command(["log", "-1", "--no-walk", "--format=%s", commit])).text
    }

    /// What the tree of a commit holds.
    func entries(of commit: String) async throws -> [TreeEntry] {
        let result = try await CommandRunner.check(
            command(["ls-tree", "-r", "-l", "-z", "--full-tree", commit], outputLimit: 256 << 20))
        return result.standardOutput.split(separator: 0).compactMap { TreeEntry($0) }
    }

    /// The beginnings of some blobs, each at most 1 KiB.
    func contents(of blobs: [String]) async throws -> [UInt8] {
        let input = blobs.map { $0 + "\n" }.joined()
        return try await CommandRunner.check(command(["cat-file", "--batch"], input: input)).standardOutput
    }

    /// Writes the files of a commit as a tar to `file`.
    func archive(_ commit: String, to file: String) async throws {
        try await CommandRunner.check(
            command(["archive", "--format=tar", "--output=\(file)", commit], deadline: .seconds(600)))
    }

    /// Changes refs all at once; `lines` are those of `git update-ref --stdin`.
    func update(_ lines: [String]) async throws {
        let input = (["start"] + lines + ["prepare", "commit"]).map { $0 + "\n" }.joined()
        try await CommandRunner.check(command(["update-ref", "--no-deref", "--stdin"], input: input))
    }

    /// Makes a clone without a branch check the given one out.
    func pointHead(to ref: String) async throws {
        try await CommandRunner.check(command(["symbolic-ref", "HEAD", ref]))
    }

    /// Refs below `prefix` with their objects.
    func refs(below prefix: String) async throws -> [(name: String, object: String)] {
        let result = try await CommandRunner.check(
            command(["for-each-ref", "--format=%(objectname) %(refname)", prefix]))
        return result.text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ", maxSplits: 1)
            return parts.count == 2 ? (String(parts[1]), String(parts[0])) : nil
        }
    }

    /// Packs what has accumulated, when git finds it worth while; objects younger than two weeks stay.
    func tidy() async throws {
        let options = ["-c", "gc.auto=2000", "-c", "gc.autoPackLimit=40", "-c", "gc.autoDetach=false"]
        try await CommandRunner.check(command(options + ["gc", "--auto", "--quiet"], deadline: .seconds(900)))
    }
}

/// One file of a commit.
struct TreeEntry: Equatable, Sendable {
    let mode: String
    let object: String
    /// In bytes; nil for a submodule.
    let size: Int?
    let path: String

    init?(_ line: some Sequence<UInt8>) {
        let parts = String(decoding: Array(line), as: UTF8.self).split(separator: "\t", maxSplits: 1)
        let fields = parts.first?.split(separator: " ") ?? []
        guard parts.count == 2, fields.count == 4 else { return nil }
        mode = String(fields[0])
        object = String(fields[2])
        size = Int(fields[3])
        path = String(parts[1])
    }

    var isSubmodule: Bool { mode == "160000" }
}

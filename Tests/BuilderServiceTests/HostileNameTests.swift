import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

@testable import BuilderService

/// Names that are not what they seem: in repository paths, refs and packets.
@Suite(.timeLimit(.minutes(3)))
struct HostileNameTests {
    /// Raw bytes reach the command through ssh exactly as the shell's printf wrote them.
    @Test(arguments: [
        #"git-receive-pack '\377\376.git'"#, #"git-upload-pack '/shop1\300\200.git'"#,
        #"git-receive-pack 'shop1\000.git'"#,
        #"git-receive-pack 'shop1\n.git'"#, #"git-upload-pack '%2e%2e/shop1'"#, #"git-receive-pack '/./shop1.git'"#,
        #"git-receive-pack '//shop1.git'"#, #"git-receive-pack 'SHOP1.git'"#, #"git-receive-pack 'shop1.git.git'"#,
        #"git-receive-pack '\342\200\256shop1.git'"#, #"git-receive-pack ''"#, #"git-receive-pack '.git'"#,
        #"git-receive-pack 'shop1.git/hooks'"#, #"git-receive-pack --help"#,
    ])
    func repositoryNamesAreAppsOrRefused(command: String) async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let text = try await CommandRunner.check(Command("printf", [command])).standardOutput
            // A byte of zero ends an argument anywhere, so ssh itself sends what comes before it.
            let argument = String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            let raw = text.prefix { $0 != 0 }.contains { $0 >= 0x80 }
            let result = raw ? try await fixture.rawSSH(command, key: key) : try await fixture.ssh([argument], key: key)
            #expect(result.exit != .code(0))
            #expect(result.exit != .code(255), "the connection survives: \(result.errorText)")
            let repositories = try FileManager.default.contentsOfDirectory(atPath: fixture.repositories)
            #expect(repositories == [] || repositories == ["shop1.git"])
            #expect(try await fixture.ssh(["ping"], key: key).text == "pong")
        }
    }

    /// Refs as a hostile client sends them: git's own client would refuse to.
    @Test(arguments: [
        #"refs/heads/\377\376"#, "refs/heads/../../hooks/x", "refs/heads/a..b", "refs/heads/a.lock", "refs/heads/",
        "refs/heads/@{x", "refs/heads/a b", #"refs/heads/a\nb"#, "refs/workflow/runs/x/heads/main", "HEAD",
        "refs/namespaces/push-1/refs/heads/main", #"refs/heads/\033[31m"#,
        "refs/heads/a//b", "refs/heads/.a", "refs/heads/a.", "refs/tags/a~1", "refs/heads/a:b", "refs/heads/a*",
    ])
    func refsAreBranchesOrRefused(ref: String) async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            let first = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(first.exit == .code(0), "\(first.errorText)")
            let head = try await fixture.head(of: tree)
            let result = try await fixture.rawPush(head, to: ref, key: key)
            let isRefused = result.exit != .code(0) || result.text.contains("ng ")
            #expect(isRefused, "\(result.text)")
            #expect(fixture.controller.runs.count == 1)
            let unsound = try await fixture.unsoundness()
            #expect(unsound == "")
            let hooks = try FileManager.default.contentsOfDirectory(atPath: fixture.repositories + "/shop1.git")
            #expect(!hooks.contains("x"))
            #expect(try await fixture.kept("refs/heads/main") == head)
            try await fixture.commit(["next": "x"], in: tree)
            let next = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(next.exit == .code(0), "\(next.errorText)")
        }
    }

    @Test func aBranchWithAnUnusualNameIsBuilt() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            for name in ["größe/日本", "a'b\"c", "fix#1&2;x"] {
                let push = try await fixture.git(
                    ["push", fixture.url(), "main:refs/heads/\(name)"], key: key, in: tree)
                #expect(push.exit == .code(0), "\(push.errorText)")
                #expect(fixture.controller.runs.last?.record["ref"] == "refs/heads/\(name)")
                try await fixture.commit([name.filter(\.isLetter): "x"], in: tree)
            }
            let clone = try await fixture.git(
                ["clone", "-q", "--branch", "größe/日本", fixture.url(), "copy"], key: key)
            #expect(clone.exit == .code(0), "\(clone.errorText)")
        }
    }

    @Test func bytesThatAreNoPacketsEndOnlyTheirPush() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            for input in ["zzzz", "0001", "ffff", "0004", String(repeating: "0000", count: 1000), "0032want x\n"] {
                let result = try await fixture.ssh(["git-receive-pack 'shop1.git'"], key: key, input: input)
                #expect(result.exit != .code(255))
            }
            let tree = try await fixture.makeTree()
            #expect(try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree).exit == .code(0))
            let unsound = try await fixture.unsoundness()
            #expect(unsound == "")
        }
    }
}

extension BuilderFixture {
    /// Runs ssh with a command given as a format of printf, so that it may hold any byte.
    fileprivate func rawSSH(_ format: String, key: String) async throws -> CommandResult {
        try await CommandRunner.run(
            Command(
                "sh",
                ["-c", #"format=$1; shift; exec "$@" "$(printf "$format")" < /dev/null"#, "sh", format, "ssh"]
                    + sshOptions(key) + ["git@127.0.0.1"], environment: ["HOME": folder, "LC_ALL": "C"]))
    }

    /// Creates a ref by packets written by hand, with an empty pack: the commit is there already.
    fileprivate func rawPush(_ commit: String, to ref: String, key: String) async throws -> CommandResult {
        let script = """
            ref=$(printf "$1"; echo x); ref=${ref%x}; zero=$(printf '%040d' 0); commit=$2; shift 2
            line="$zero $commit $ref"
            { printf '%04x%s\\0 report-status\\n' $((4 + ${#line} + 16)) "$line"; printf '0000'
              printf 'PACK\\000\\000\\000\\002\\000\\000\\000\\000'
              printf '\\002\\235\\b\\202;\\330\\250\\352\\265\\020\\255j\\307\\\\\\202<\\375>\\323\\036'; } | exec "$@"
            """
        return try await CommandRunner.run(
            Command(
                "sh",
                ["-c", script, "sh", ref, commit, "ssh"] + sshOptions(key)
                    + ["git@127.0.0.1", "git-receive-pack 'shop1.git'"], environment: ["HOME": folder, "LC_ALL": "C"]))
    }
}

import CommandRunner
import PlatformModel
import TestSupport
import Testing

@testable import BuilderService

@Suite(.timeLimit(.minutes(2)))
struct AccessTests {
    @Test func anUnknownKeyIsToldWhatToDo() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey("stranger", user: nil)
            let tree = try await fixture.makeTree()
            let push = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(push.exit != .code(0))
            #expect(push.errorText.contains("Workflow does not know any key your SSH client offered"))
            #expect(push.errorText.contains("drycc keys add"))
        }
    }

    @Test func foreignAndMissingAppsGetTheSameAnswer() async throws {
        let controller = FakeController()
        controller.add(user: "bob", to: "bobsapp")
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            for app in ["bobsapp", "missing"] {
                let push = try await fixture.git(["push", fixture.url(app), "main"], key: key, in: tree)
                #expect(push.exit == .code(128))
                #expect(
                    push.errorText.contains("remote error: user ada has no access to app \(app), or it does not exist"))
                #expect(try await fixture.git(["clone", fixture.url(app), "no"], key: key).exit == .code(128))
            }
        }
    }

    /// A user of `shop1-test` once passed for `shop1` because names were compared by substring.
    @Test func aLongerNameOpensNoShorterOne() async throws {
        try await BuilderFixture.with(apps: ["shop1-test"]) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            #expect(
                try await fixture.git(["push", fixture.url("shop1"), "main"], key: key, in: tree).exit == .code(128))
            #expect(
                try await fixture.git(["push", fixture.url("shop1-test"), "main"], key: key, in: tree).exit == .code(0))
        }
    }

    @Test(arguments: [
        "git-receive-pack '../../etc'", "git-receive-pack '/shop1.git/../other1'", "git-upload-pack '/etc/passwd'",
        "git-upload-archive 'shop1.git'", "git-receive-pack", "rm -rf /", "git-receive-pack 'shop1.git' ; id",
        "git-receive-pack '$(id)'", "git-upload-pack --help 'shop1'",
    ])
    func trickyCommandsAreRefused(command: String) async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let result = try await fixture.ssh([command], key: key)
            #expect(result.exit == .code(1))
            #expect(!result.errorText.isEmpty)
            #expect(result.standardOutput.isEmpty)
        }
    }

    @Test func pingAnswers() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            #expect(try await fixture.ssh(["ping"], key: key).text == "pong")
        }
    }

    @Test func namesAreReadInEveryForm() throws {
        for text in ["'shop1.git'", "'/shop1.git'", "shop1", "'/shop1'", "'shop1/'"] {
            #expect(try GitCommand(parsing: "git-receive-pack \(text)").app.text == "shop1")
            #expect(try GitCommand(parsing: "git receive-pack \(text)").app.text == "shop1")
        }
    }
}

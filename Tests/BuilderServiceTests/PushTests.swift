import CommandRunner
import FoundationEssentials
import ObjectStorage
import TestSupport
import Testing

@testable import BuilderService

@Suite(.timeLimit(.minutes(3)))
struct PushTests {
    @Test func aPushEndsWithItsReleaseLive() async throws {
        let controller = FakeController { controller, run in
            controller.append(
                #""kind":"phase","phase":"detect","text":"Dockerfile, port 8080 from EXPOSE","seconds":0.02"#,
                to: run.id)
            controller.append(#""kind":"line","phase":"build","text":"STEP 1/1: FROM scratch""#, to: run.id)
            controller.append(
                #""kind":"phase","phase":"build","text":"6/7 layers cached, 1 built","seconds":1.31"#, to: run.id)
            controller.finish(run.id, live: true)
        }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree(files: ["Dockerfile": "FROM scratch\n", "app.txt": "hello\n"])
            let push = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            let sha = try await fixture.head(of: tree)
            let lines = push.errorText.split(whereSeparator: \.isNewline).map {
                $0.hasSuffix(" ") ? String($0.trimmingSuffix(while: { $0 == " " })) : String($0)
            }
            #expect(lines.contains("remote: -----> shop1 v1  \(sha.prefix(7))  by ada  (queue 0.0s)"))
            #expect(lines.contains("remote: -----> detect    Dockerfile, port 8080 from EXPOSE        0.02s"))
            #expect(lines.contains("remote: -----> build     6/7 layers cached, 1 built               1.31s"))
            #expect(lines.contains("remote: =====> live      http://shop1.workflow.localhost          2.11s"))
            #expect(!push.errorText.contains("STEP 1/1"))
            #expect(try await fixture.kept("refs/heads/main") == sha)
            let clone = try await fixture.git(["clone", "-q", fixture.url(), "copy"], key: key)
            #expect(clone.exit == .code(0), "\(clone.errorText)")
            #expect(try String(contentsOfFile: fixture.folder + "/copy/app.txt", encoding: .utf8) == "hello\n")
            let record = try #require(controller.runs.first?.record)
            #expect(record["sha"] == sha)
            #expect(record["ref"] == "refs/heads/main")
            let stored = try await fixture.parts.store.read(ObjectKey(record["source_key"] ?? ""), limit: 1 << 20)
            let listing = try await CommandRunner.check(Command("tar", ["-tf", "-"], standardInput: stored)).text
            #expect(Set(listing.split(separator: "\n")) == ["Dockerfile", "app.txt"])
            let digest = try await CommandRunner.check(Command("sha256sum", standardInput: stored)).text.prefix(64)
            #expect(record["source_digest"] == "sha256:\(digest)")
        }
    }

    @Test func aFailedDeployFailsThePushAndCanBePushedAgain() async throws {
        let controller = FakeController { controller, run in
            if run.number == 1 {
                for index in 1...30 {
                    controller.append(#""kind":"line","phase":"start","text":"line \#(index)""#, to: run.id)
                }
            }
            controller.finish(run.id, live: run.number > 1)
        }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            let failed = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(failed.exit == .code(1))
            #expect(failed.errorText.contains("[remote rejected] main -> main (deploy failed)"))
            #expect(failed.errorText.contains("web exited with status 1"))
            #expect(failed.errorText.contains("v1 keeps serving."))
            #expect(failed.errorText.contains("line 11\u{20}") || failed.errorText.contains("line 11\n"))
            #expect(!failed.errorText.contains("line 10"))
            #expect(try await fixture.kept("refs/heads/main") == nil)
            let again = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(again.exit == .code(0), "\(again.errorText)")
            #expect(!again.errorText.contains("Writing objects"))
            let live = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(live.exit == .code(0))
            #expect(controller.runs.count == 3)
        }
    }

    @Test func aSecondPushSendsOnlyTheDifference() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let big = (0..<300).map { _ in UUID().uuidString }.joined()
            let tree = try await fixture.makeTree(files: ["Dockerfile": "FROM scratch\n", "big": big])
            #expect(try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree).exit == .code(0))
            try await fixture.commit(["small": "x\n"], in: tree)
            let push = try await fixture.git(["push", "--progress", fixture.url(), "main"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            #expect(
                push.errorText.contains("Total 2 (delta 0)") || push.errorText.contains("Total 3"), "\(push.errorText)")
            #expect(try await fixture.kept("refs/heads/main") == fixture.head(of: tree))
        }
    }

    @Test func verbosePushesSeeTheWholeOutput() async throws {
        let controller = FakeController { controller, run in
            controller.append(#""kind":"line","phase":"build","text":"STEP 1/1: FROM scratch\u001b[31m""#, to: run.id)
            controller.finish(run.id, live: true)
        }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            let push = try await fixture.git(["push", "-o", "verbose", fixture.url(), "main"], key: key, in: tree)
            #expect(push.errorText.contains("STEP 1/1: FROM scratch[31m"))
        }
    }

    @Test func theNewestPushWins() async throws {
        let controller = FakeController { controller, run in
            if run.number == 2 { controller.finish(run.id, live: true) }
        }
        try await BuilderFixture.with(controller) { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            async let first = fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            try await eventually(within: .seconds(60)) { controller.runs.count == 1 }
            let other = try await fixture.makeTree("other", files: ["Dockerfile": "FROM other\n"])
            let second = try await fixture.git(["push", fixture.url(), "main"], key: key, in: other)
            #expect(second.exit == .code(0), "\(second.errorText)")
            let superseded = try await first
            #expect(superseded.exit == .code(1))
            #expect(superseded.errorText.contains("superseded by a newer push"))
            #expect(try await fixture.kept("refs/heads/main") == fixture.head(of: other))
        }
    }

    @Test func aShallowCloneCanBePushed() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            for index in 0..<3 { try await fixture.commit(["file\(index)": "x"], in: tree) }
            try await fixture.git(["clone", "-q", "--depth", "1", "file://\(tree)", "shallow"])
            let shallow = fixture.folder + "/shallow"
            try await fixture.commit(["more": "y"], in: shallow)
            let push = try await fixture.git(["push", fixture.url(), "main"], key: key, in: shallow)
            #expect(push.exit == .code(0), "\(push.errorText)")
            let sha = try await fixture.head(of: shallow)
            try await eventually(within: .seconds(60)) { try await fixture.kept("refs/heads/main") == sha }
            try await fixture.commit(["again": "z"], in: shallow)
            let second = try await fixture.git(["push", fixture.url(), "main"], key: key, in: shallow)
            #expect(second.exit == .code(0), "\(second.errorText)")
            let fsck = try await fixture.git([
                "--git-dir", "\(fixture.parts.repositories.root)/repositories/shop1.git", "fsck", "--connectivity-only",
            ])
            #expect(fsck.exit == .code(0), "\(fsck.errorText)")
        }
    }

    @Test func anAnnotatedTagIsBuiltAsItsCommit() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            try await fixture.git(["tag", "-a", "-m", "one", "v1"], in: tree)
            let push = try await fixture.git(["push", fixture.url(), "v1"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            #expect(fixture.controller.runs.first?.record["sha"] == (try await fixture.head(of: tree)))
            #expect(try await fixture.kept("refs/tags/v1^{commit}") == fixture.head(of: tree))
        }
    }

    @Test func unservableRefsAreRefusedReadably() async throws {
        try await BuilderFixture.with { fixture in
            let key = try await fixture.makeKey()
            let tree = try await fixture.makeTree()
            try await fixture.git(["branch", "other"], in: tree)
            try await fixture.git(["tag", "file", "HEAD:Dockerfile"], in: tree)
            let two = try await fixture.git(["push", fixture.url(), "main", "other"], key: key, in: tree)
            #expect(two.exit == .code(1))
            #expect(two.errorText.contains("push one branch or tag at a time"))
            let blob = try await fixture.git(["push", fixture.url(), "file"], key: key, in: tree)
            #expect(blob.exit == .code(1))
            #expect(blob.errorText.contains("refs/tags/file is no commit"))
            let strange = try await fixture.git(["push", fixture.url(), "main:refs/notes/x"], key: key, in: tree)
            #expect(strange.errorText.contains("only branches and tags are built"))
            #expect(try await fixture.git(["push", fixture.url(), ":main"], key: key, in: tree).exit == .code(1))
            #expect(fixture.controller.runs.isEmpty)
        }
    }

    @Test func limitsAndWarningsAreTold() async throws {
        try await BuilderFixture.with(change: {
            $0.limits = SourceLimits(sourceBytes: 1 << 20, pushBytes: 8 << 20, files: 2)
        }) { fixture in
            let key = try await fixture.makeKey()
            let pointer =
                "version https://git-lfs.github.com/spec/v1\n"
                + "oid sha256:\(String(repeating: "a", count: 64))\nsize 9999\n"
            let tree = try await fixture.makeTree(files: [".gitattributes": "*.bin filter=x\n", "model.dat": pointer])
            let push = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(push.exit == .code(0), "\(push.errorText)")
            #expect(push.errorText.contains("model.dat is a Git LFS pointer"))
            try await fixture.commit(["third": "x"], in: tree)
            let many = try await fixture.git(["push", fixture.url(), "main"], key: key, in: tree)
            #expect(many.errorText.contains("the commit holds 3 files, more than 2"))
            let large = try await fixture.makeTree("large", files: ["zero": String(repeating: "0", count: 2 << 20)])
            let refused = try await fixture.git(["push", fixture.url(), "main"], key: key, in: large)
            #expect(refused.errorText.contains("files have 2 MiB, more than 1 MiB"))
        }
    }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> SubSequence {
        var end = endIndex
        while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}

import CommandRunner
import Foundation
import HTTPTypes
import PlatformModel
import TestSupport
import Testing

extension WholePlatform {
    @Suite struct Pushes {
        /// One line a phase, 80 columns with git's own prefix, the last one naming the address.
        private func expectGrammar(_ output: String, app: String, version: Int) throws {
            let lines = output.split(whereSeparator: \.isNewline).map(String.init)
            let shown = lines.filter { $0.hasPrefix("----->") || $0.hasPrefix("=====>") }
            #expect(shown.first?.hasPrefix("-----> \(app) v\(version)  ") == true, "\(output)")
            let phases = shown.dropFirst().map { $0.split(separator: " ")[1] }
            #expect(phases == ["detect", "build", "image", "start", "health", "switch", "live"], "\(output)")
            #expect(shown.dropFirst().allSatisfy { $0.firstMatch(of: /[0-9]+\.[0-9]{2}s$/) != nil }, "\(output)")
            #expect(lines.allSatisfy { $0.count <= 72 || $0.hasPrefix(" *") }, "\(output)")
            #expect(shown.last?.contains("http://\(app).workflow.localhost") == true, "\(output)")
        }

        @Test func pushedAppAnswersAndAChangedLineIsSeen() async throws {
            let platform = try Installation.required()
            let ana = try await PlatformUser.signUp("ana", on: platform)
            let shop = try await AppRepository.make("webshop", of: ana)
            let first = try await shop.push()
            #expect(first.isSuccess, "\(first.output)")
            try expectGrammar(first.output, app: "webshop", version: 2)
            #expect(try await shop.page() == (200, "one"))

            try await shop.commit(["page.txt": "two"])
            let second = try await shop.push()
            #expect(second.isSuccess, "\(second.output)")
            try expectGrammar(second.output, app: "webshop", version: 3)
            #expect(try await shop.page() == (200, "two"))
            #expect(try await ana.buildRuns(of: "webshop").compactMap { $0["state"]?.stringValue } == ["live", "live"])

            let copy = "\(platform.root)/clone-of-shop"
            try await CommandRunner.check(shop.remoteCommand(["clone", "--quiet", try shop.remote, copy]))
            #expect(try String(contentsOfFile: "\(copy)/page.txt", encoding: .utf8) == "two\n")
        }

        @Test func brokenDockerfileNamesItsLineAndTheOldReleaseServesOn() async throws {
            let user = try await PlatformUser.signUp("bea", on: Installation.required())
            let app = try await AppRepository.make("broken", of: user)
            #expect(try await app.push().isSuccess)
            try await app.commit(["Dockerfile": "FROM docker.io/library/busybox:latest\nRUN true\nRUNN false"])
            let push = try await app.push()
            #expect(!push.isSuccess)
            #expect(push.output.contains("line 3") || push.output.contains(":3"), "\(push.output)")
            #expect(push.output.contains("RUNN"), "\(push.output)")
            #expect(push.sentences.contains("v2 is still serving"), "\(push.output)")
            #expect(try await app.page() == (200, "one"))

            try await app.commit(["Dockerfile": AppRepository.webApp["Dockerfile"] ?? "", "page.txt": "mended"])
            #expect(try await app.push().isSuccess)
            #expect(try await app.page() == (200, "mended"))
        }

        @Test func appThatNeverGetsHealthyLeavesTheOldOneServing() async throws {
            let user = try await PlatformUser.signUp("cleo", on: Installation.required())
            let app = try await AppRepository.make("sickly", of: user)
            #expect(try await app.push().isSuccess)
            try await app.commit(["start": "echo looking for the database\necho it is gone\nexit 3"])
            let push = try await app.push()
            #expect(!push.isSuccess)
            #expect(push.output.contains("it is gone"), "\(push.output)")
            #expect(push.sentences.contains("v2 is still serving"), "\(push.output)")
            #expect(try await app.page() == (200, "one"))
            #expect(try await user.buildRuns(of: "sickly").first?["state"]?.stringValue == "failed")
        }

        @Test func strangersAreRefused() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("dora", on: platform)
            let app = try await AppRepository.make("private", of: user)
            #expect(try await app.push().isSuccess)

            let eve = try await PlatformUser.signUp("eve", on: platform)
            let foreign = try await app.clone(as: eve, into: "work-eve")
            try await foreign.commit(["page.txt": "stolen"])
            let refused = try await foreign.push()
            #expect(!refused.isSuccess)
            #expect(refused.output.contains("private"), "\(refused.output)")

            let nobody = PlatformUser(
                platform: platform, name: "nobody", token: "", identity: "\(platform.root)/nobody-key")
            try await CommandRunner.check(
                Command("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", nobody.identity]))
            let unknown = try await app.clone(as: nobody, into: "work-nobody").push()
            #expect(!unknown.isSuccess)
            #expect(unknown.output.contains("Permission denied"), "\(unknown.output)")

            let missing = try await app.clone(as: user, app: "nosuchapp", into: "work-missing").push()
            #expect(!missing.isSuccess)
            #expect(missing.output.contains("nosuchapp"), "\(missing.output)")
            #expect(try await app.page() == (200, "one"))
        }

        @Test func newestOfTwoPushesAtOnceIsLive() async throws {
            let user = try await PlatformUser.signUp("fay", on: Installation.required())
            let app = try await AppRepository.make("racing", of: user)
            #expect(try await app.push().isSuccess)
            let other = try await app.clone(as: user, into: "work-race-other")
            try await app.commit(["page.txt": "left"])
            try await other.commit(["page.txt": "right"])
            async let left = app.push()
            async let right = other.push()
            let pushes = try await [left, right]
            #expect(pushes.contains { $0.isSuccess }, "\(pushes.map(\.output))")

            let newest = try #require(try await user.buildRuns(of: "racing").first)
            #expect(newest["state"]?.stringValue == "live")
            let head = newest["sha"]?.stringValue ?? ""
            let text = try await app.git(["rev-parse", "HEAD"]) == head ? "left" : "right"
            #expect(try await app.page() == (200, text))
        }

        @Test func buildOutlivesThePushersConnection() async throws {
            let user = try await PlatformUser.signUp("gus", on: Installation.required())
            let app = try await AppRepository.make("cutoff", of: user)
            #expect(try await app.push().isSuccess)
            let slow = "FROM docker.io/library/busybox:latest\nRUN sleep 3; echo nearly there\n"
            try await app.commit([
                "Dockerfile": slow + "COPY start page.txt /app/\nEXPOSE 8080\nCMD [\"sh\", \"/app/start\"]",
                "page.txt": "cut",
            ])
            let push = Task { try await CommandRunner.run(try app.pushCommand()) }
            try await eventually("the build runs") {
                try await user.buildRuns(of: "cutoff").first?["state"]?.stringValue == "building"
            }
            push.cancel()
            _ = await push.result
            try await eventually("the build run ends") {
                let states = ["live", "failed", "cancelled", "superseded"]
                return states.contains(try await user.buildRuns(of: "cutoff").first?["state"]?.stringValue ?? "")
            }
            #expect(try await user.buildRuns(of: "cutoff").first?["state"]?.stringValue == "live")
            #expect(try await app.page() == (200, "cut"))
            let events = try await user.succeed(.get, "/v2/apps/cutoff/build-runs/2/events/?from=0").text
            #expect(events.hasPrefix(#"{"#) && events.contains(#""seq":0"#), "\(events.prefix(200))")
            #expect(events.contains("nearly there"))
            #expect(events.contains(#""state":"live""#))
        }
    }
}

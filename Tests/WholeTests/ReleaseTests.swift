import CommandRunner
import Foundation
import HTTPTypes
import PlatformModel
import PodmanClient
import TestSupport
import Testing

extension WholePlatform {
    @Suite struct Releases {
        @Test func configScaleAndRollbackChangeWhatIsServed() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("hana", on: platform)
            let app = try await AppRepository.make("tuning", of: user)
            #expect(try await app.push().isSuccess)

            try await user.configure("tuning", ["GREETING": "hello"])
            try await eventually("the config is seen") { try await app.page() == (200, "one hello") }
            #expect(try await user.version(of: "tuning") == 3)

            try await user.scale("tuning", web: 3)
            try await eventually("three pods run") { try await user.runningPods(of: "tuning").count == 3 }
            #expect(try await app.page() == (200, "one hello"))

            try await user.succeed(.post, "/v2/apps/tuning/releases/rollback/", ["version": 2])
            try await eventually("the old release is seen") { try await app.page() == (200, "one") }
            try await eventually("three pods of it run") { try await user.runningPods(of: "tuning").count == 3 }

            let pod = try #require(try await user.runningPods(of: "tuning").first)
            let details = try await platform.podman.inspectContainer(pod)
            let network = try #require(details.networks.first)
            let address = try #require(details.address(in: network))
            try await user.scale("tuning", web: 0)
            try await eventually("no pod runs") { try await user.runningPods(of: "tuning").isEmpty }
            try await eventually("the page says so") { try await app.page().status == 503 }
            #expect(try await app.page().text.contains("App is not running"))
            // With the last pod its network has gone; nothing sent to it may leave the machine.
            try await eventually("its address leads nowhere") {
                let route = try await CommandRunner.run(Command("ip", ["-4", "route", "get", address]))
                return route.errorText.contains("No route to host")
            }

            try await user.scale("tuning", web: 1)
            try await eventually("it serves again") { try await app.page() == (200, "one") }
        }

        @Test func aPodThatIsNotReadyGetsNoRequestsUntilItIs() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("lena", on: platform)
            let start = """
                mkdir -p /www
                hostname > /www/index.html
                touch /ready
                exec httpd -f -p "$PORT" -h /www
                """
            let app = try await AppRepository.make(
                "moody", of: user, files: AppRepository.webApp.merging(["start": start]) { $1 })
            #expect(try await app.push().isSuccess)
            // Written down before the push was told: none could be mistaken for a new one below.
            let replaced = try await user.runningPods(of: "moody")
            #expect(replaced.count == 1)
            let probe: JSONValue = [
                "exec": ["command": ["sh", "-c", "test -e /ready"]], "periodSeconds": 1, "failureThreshold": 1,
            ]
            try await user.succeed(
                .post, "/v2/apps/moody/config/", ["healthcheck": ["web": ["readinessProbe": probe]]])
            try await user.scale("moody", web: 2)
            try await eventually("both pods answer") {
                let seen = try await answers(of: app)
                // The pod of the release before may still answer, and goes.
                guard seen.count == 2, seen.isDisjoint(with: replaced) else {
                    throw NotYet("\(seen), \(try await user.call(.get, "/v2/apps/moody/pods/").text)")
                }
                return true
            }

            // A pod's name is its host name.
            let moody = try #require(try await answers(of: app).min())
            let removed = try await platform.podman.exec(in: moody, command: ["sh", "-c", "rm /ready"])
            #expect(removed.exitCode == 0)
            try await eventually("the other answers alone") {
                let answers = try await answers(of: app)
                return answers.count == 1 && !answers.contains(moody)
            }
            let made = try await platform.podman.exec(in: moody, command: ["sh", "-c", "touch /ready"])
            #expect(made.exitCode == 0)
            try await eventually("both answer again") { try await answers(of: app).count == 2 }
        }

        /// Who answered ten requests; all must succeed.
        private func answers(of app: AppRepository) async throws -> Set<String> {
            var seen: Set<String> = []
            for _ in 0..<10 {
                let page = try await app.page()
                #expect(page.status == 200, "\(page.text)")
                seen.insert(page.text)
            }
            return seen
        }

        @Test func restartReplacesThePodsAndLogsAreRead() async throws {
            let user = try await PlatformUser.signUp("ivo", on: Installation.required())
            let app = try await AppRepository.make("again", of: user)
            #expect(try await app.push().isSuccess)
            let before = try await user.runningPods(of: "again")
            try await user.succeed(.post, "/v2/apps/again/ptypes/restart/", ["ptypes": "web"])
            try await eventually("another pod runs") {
                let now = try await user.runningPods(of: "again")
                return now.count == 1 && now != before
            }
            #expect(try await app.page() == (200, "one"))
            try await eventually("its output is read") {
                let log = try await user.succeed(.get, "/v2/apps/again/logs?log_lines=50").text
                let lines = log.split(whereSeparator: \.isNewline)
                    .filter { $0.contains("again[web.") && $0.contains("serving on 8080") }
                guard lines.count == 2 else { throw NotYet(log) }
                return true
            }
        }

        @Test func destroyedAppLeavesNothing() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("jan", on: platform)
            let app = try await AppRepository.make("passing", of: user)
            #expect(try await app.push().isSuccess)
            let tags = "\(platform.root)/registry/repositories/passing/passing/_tags"
            #expect(try FileManager.default.contentsOfDirectory(atPath: tags).count == 1)
            try await user.succeed(.delete, "/v2/apps/passing/")
            #expect(try await user.call(.get, "/v2/apps/passing/").status == 404)
            try await eventually("no container is left") {
                try await platform.podman.listContainers().allSatisfy { !$0.names.contains { $0.contains("passing") } }
            }
            try await eventually("the page says so") { try await app.page().status == 404 }
            try await eventually("no tag leads to its image") {
                try FileManager.default.contentsOfDirectory(atPath: tags).isEmpty
            }
        }
    }
}

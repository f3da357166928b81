import CommandRunner
import Foundation
import HTTPTypes
import PlatformModel
import PodmanClient
import TestSupport
import Testing

extension WholePlatform {
    @Suite struct Crashes {
        /// A build that takes long enough to be hit in its middle.
        private static func slowBuild(_ page: String) -> [String: String] {
            [
                "Dockerfile": """
                FROM docker.io/library/busybox:latest
                RUN sleep 2; echo \(page)
                COPY start page.txt /app/
                EXPOSE 8080
                CMD ["sh", "/app/start"]
                """,
                "page.txt": page,
            ]
        }

        private static let victims = ["worker", "builder", "registry", "broker", "postgres", "controller", "engine"]

        /// Kills a server in the middle of a push; the push's record must end, and what it says must be true.
        @Test(arguments: victims)
        func deployEndsThoughAServerIsKilled(_ victim: String) async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("kim\(victim)", on: platform)
            let name = "crash-\(victim)"
            let app = try await AppRepository.make(name, of: user)
            #expect(try await app.push().isSuccess)
            try await app.commit(Self.slowBuild("second"))
            async let push = app.push()
            try await eventually("the build begins") {
                let state = try await user.buildRuns(of: name).first?["state"]?.stringValue ?? ""
                return try await user.buildRuns(of: name).count == 2 && state != "queued"
            }
            try await platform.kill(victim)
            _ = try await push

            try await eventually(within: .seconds(120), "the run ends") {
                let run = try await user.buildRuns(of: name).first
                guard ["live", "failed"].contains(run?["state"]?.stringValue) else { throw NotYet("\(run ?? .null)") }
                return true
            }
            try await expectTruth(app, user, platform)

            try await app.commit(["page.txt": "third"])
            try await eventually("a later push is live") {
                let push = try await app.push()
                guard push.isSuccess else { throw NotYet(push.output) }
                return true
            }
            try await eventually("its page is served") { try await app.page() == (200, "third") }
            try await expectOnePod(of: name, user, platform)
        }

        /// What the newest run's state says is what is served.
        private func expectTruth(_ app: AppRepository, _ user: PlatformUser, _ platform: Installation) async throws {
            let run = try #require(try await user.buildRuns(of: app.app).first)
            let isLive = run["state"]?.stringValue == "live"
            if !isLive { #expect(run["reason"]?.stringValue?.isEmpty == false) }
            try await eventually("the page is served") {
                let page = try await app.page()
                guard page == (200, isLive ? "second" : "one") else { throw NotYet("\(page) with \(run)") }
                return true
            }
            #expect(try await user.buildRuns(of: app.app).count == 2)
            try await expectOnePod(of: app.app, user, platform)
        }

        private func expectOnePod(of app: String, _ user: PlatformUser, _ platform: Installation) async throws {
            try await eventually("one container is left") {
                let names = try await platform.podman.listContainers().flatMap(\.names).filter {
                    $0.contains("\(app)-web")
                }
                guard names.count == 1 else { throw NotYet("\(names)") }
                return true
            }
        }
    }
}

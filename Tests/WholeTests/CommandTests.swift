import HTTPTypes
import PlatformModel
import PodmanClient
import TestSupport
import Testing

extension WholePlatform {
    @Suite struct Commands {
        /// `drycc run` as its user sees it: a pod with the app's image and config, its output in the app's log.
        @Test func aCommandRunsOnceAndEndsAsItDidAlthoughItsWorkerIsKilled() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("kira", on: platform)
            let app = try await AppRepository.make(
                "errands", of: user,
                files: AppRepository.webApp.merging(
                    [
                        "Dockerfile": """
                        FROM docker.io/library/busybox:latest
                        COPY start page.txt errand /app/
                        EXPOSE 8080
                        CMD ["sh", "/app/start"]
                        """,
                        "errand": "echo \"errand for $GREETING\"; sleep 3; exit 7",
                    ]) { $1 })
            #expect(try await app.push().isSuccess)
            try await user.configure("errands", ["GREETING": "ada"])
            try await eventually("the config is seen") { try await app.page() == (200, "one ada") }

            try await user.succeed(.post, "/v2/apps/errands/run", ["command": "sh /app/errand", "timeout": 60])
            try await platform.kill("worker")
            let pod = try await ended(user)
            let description = try await user.succeed(.get, "/v2/apps/errands/pods/\(pod)/describe/").json
            let state = description["results"]?.arrayValue?.first?["state"]
            #expect(state?["terminated"]?["exitCode"] == 7, "\(description)")
            try await eventually("its output is read") {
                let log = try await user.succeed(.get, "/v2/apps/errands/logs?log_lines=100").text
                let said = log.split(whereSeparator: \.isNewline).filter { $0.contains("errand for ada") }
                guard said.count == 1, log.contains("\(pod) ended with status 7.") else { throw NotYet(log) }
                return true
            }
        }

        /// The pod of the only command, once it has ended.
        private func ended(_ user: PlatformUser) async throws -> String {
            var name = ""
            try await eventually("the command has ended") {
                let answer = try await user.succeed(.get, "/v2/apps/errands/pods/?limit=100")
                let runs = try answer.json["results"]?.arrayValue?.filter { $0["type"] == "run" } ?? []
                guard runs.count == 1, runs[0]["state"] == "crashed" else { throw NotYet(answer.text) }
                name = runs[0]["name"]?.stringValue ?? ""
                return true
            }
            return name
        }
    }
}

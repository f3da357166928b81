import CommandRunner
import CurlTransfer
import Foundation
import Glibc
import HTTPTypes
import PlatformModel
import TestSupport
import Testing

extension WholePlatform {
    @Suite struct Operations {
        @Test func everythingIsThereAgainAfterDownAndUp() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("moe", on: platform)
            let app = try await AppRepository.make("lasting", of: user)
            #expect(try await app.push().isSuccess)
            try await user.configure("lasting", ["GREETING": "stays"])
            try await eventually("the config is seen") { try await app.page() == (200, "one stays") }

            try await platform.workflow(["down"])
            #expect(try await !platform.status().running)
            let again = try await platform.up()
            #expect(again.contains("Workflow is up"))
            #expect(!again.contains("Password:"))
            try await eventually(within: .seconds(60), "the app serves") { try await app.page() == (200, "one stays") }
            #expect(try await user.version(of: "lasting") == 3)
            try await app.commit(["page.txt": "two"])
            #expect(try await app.push().isSuccess)
            #expect(try await app.page() == (200, "two stays"))
        }

        @Test func everythingIsThereAgainAfterEveryProcessWasKilled() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("nia", on: platform)
            let app = try await AppRepository.make("phoenix", of: user)
            #expect(try await app.push().isSuccess)
            let pods = try await user.runningPods(of: "phoenix")

            try await killEverything(of: platform)
            try reuseTheNumberOfTheDatabase(of: platform)
            try await platform.up()
            // The process survived, but what read its output did not.
            try await eventually(within: .seconds(60), "another pod runs") {
                let now = try await user.runningPods(of: "phoenix")
                return now.count == 1 && now != pods
            }
            try await eventually("the app serves") { try await app.page() == (200, "one") }
            try await app.commit(["page.txt": "two"])
            let push = try await app.push()
            #expect(push.isSuccess, "\(push.output)")
            #expect(try await app.page() == (200, "two"))
            try await eventually("one pod runs") { try await user.runningPods(of: "phoenix").count == 1 }
        }

        @Test func aSurvivingNginxIsTakenOverWithItsPorts() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("ole", on: platform)
            let app = try await AppRepository.make("surviving", of: user)
            #expect(try await app.push().isSuccess)
            let master = try #require(nginx(of: platform))

            try await killServers(of: platform)
            #expect(master.isAlive)
            // The nginx that is left has its own port, and no right to another program's.
            let http = try platform.port("http")
            let foreign = try TCPProxy(to: 9)
            let refusal = try await CommandRunner.run(platform.command(["up", "--http-port", "\(foreign.port)"]))
            #expect(!refusal.exit.isSuccess)
            #expect(refusal.text.contains("port \(foreign.port) for http is in use"), "\(refusal.text)")
            #expect(master.isAlive)
            // Apps go on; the settings name the other port by now.
            let page = try await platform.client.send(.init(url: "http://surviving.workflow.localhost:\(http)/"))
            #expect(page.status == 200)
            try await platform.workflow(["up", "--http-port", "\(http)"])
            #expect(nginx(of: platform) == master)
            try await eventually(within: .seconds(60), "the app serves") { try await app.page() == (200, "one") }
        }

        private func nginx(of platform: Installation) -> ProcessIdentity? {
            ProcessIdentity.all().first { identity in
                let line = identity.arguments.joined(separator: " ")
                return line.contains("nginx: master process") && line.contains("\(platform.root)/")
            }
        }

        /// As if the killed server's process number were another process's now.
        private func reuseTheNumberOfTheDatabase(of platform: Installation) throws {
            let file = URL(filePath: "\(platform.root)/postgres/data/postmaster.pid")
            let lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
            let text = (["\(getpid())"] + lines.dropFirst()).joined(separator: "\n")
            // Written in place, so that the file stays the database user's.
            let handle = try FileHandle(forWritingTo: file)
            try handle.truncate(atOffset: 0)
            try handle.write(contentsOf: Data(text.utf8))
            try handle.close()
        }

        /// The supervisor and its servers, and then all that names the installation.
        private func killEverything(of platform: Installation) async throws {
            let own = processes(of: platform)
            try await killServers(of: platform)
            for identity in own { identity.send(signal: SIGKILL) }
        }

        /// The supervisor first, so that it brings nothing back.
        private func killServers(of platform: Installation) async throws {
            // Without a supervisor nobody tells what they are.
            let servers = try await platform.status().servers.compactMap(\.pid).compactMap { ProcessIdentity(pid: $0) }
            for identity in processes(of: platform) where identity.arguments.contains("supervise") {
                identity.send(signal: SIGKILL)
            }
            for server in servers { server.send(signal: SIGKILL) }
        }

        private func processes(of platform: Installation) -> [ProcessIdentity] {
            ProcessIdentity.all().filter { identity in
                identity.pid != getpid() && identity.arguments.contains { $0.contains(platform.root) }
            }
        }

        @Test func secondUpChangesNothing() async throws {
            let platform = try Installation.required()
            let before = try await platform.status().servers.compactMap(\.pid)
            #expect(try await platform.up().contains("already running"))
            #expect(try await platform.status().servers.compactMap(\.pid) == before)
        }

        @Test func statusAndDoctorFindNothingWrong() async throws {
            let platform = try Installation.required()
            try await eventually(within: .seconds(60), "all queues are empty") {
                let status = try await platform.status()
                let isQuiet = status.queues.allSatisfy { $0.ready == 0 && $0.delayed == 0 }
                guard status.ready, isQuiet, status.servers.allSatisfy({ $0.phase == "running" }) else {
                    throw NotYet("\(status)")
                }
                return true
            }
            let doctor = try await CommandRunner.run(platform.command(["doctor"]))
            #expect(doctor.exit.isSuccess, "\(doctor.text)")
            #expect(doctor.text.split(whereSeparator: \.isNewline).count >= 15)
        }
    }
}

import CurlTransfer
import FoundationEssentials
import PlatformModel
import PodmanClient
import PodmanTestSupport
import TestSupport
import Testing

@testable import ControllerService

@Suite(.enabled(if: PodmanService.isPossible), .timeLimit(.minutes(5)))
struct PodmanEngineTests {
    @Test func aReadyPodServesAndLeavesNothingBehind() async throws {
        try await withPodmanEngine { engine, service in
            let fixture = try EngineFixture()
            let workload = try fixture.workload(
                ["sh", "-c", "echo \"color=$COLOR empty=[$EMPTY]\"; exec httpd -f -p $PORT -h /bin"],
                environment: ["COLOR": "blue green\nred", "EMPTY": "", "PORT": "8080"],
                readiness: EngineFixture.probe(.http(path: "/cat", port: 8080, headers: [:]), successes: 2))
            let pod = PodName(for: workload)
            let status = try await engine.start(workload, as: pod, fence: 1)
            let words = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            #expect(words.hasPrefix("GET /cat 200 in "))
            let endpoint = try #require(status.endpoint)
            let page = try await service.http.send(TransferRequest(url: "http://\(endpoint.address):8080/cat"))
            #expect(page.status == 200)

            let lines = try await collect(engine.lines(of: pod, lines: nil, follow: false))
            #expect(lines == ["color=blue green", "red empty=[]"])
            try checkLogFolder(engine, pod, workload)
            let details = try await service.podman.inspectContainer(pod.text)
            #expect(!details.labels.values.contains { $0.contains("blue") })

            try await engine.remove(pod, grace: .seconds(2))
            try await engine.removeApp(fixture.app)
            #expect(try await service.podman.listSecrets().isEmpty)
            #expect(
                try await service.podman.listNetworks().map(\.name).contains(engine.networkName(of: fixture.app))
                    == false)
        }
    }

    private func checkLogFolder(_ engine: PodmanEngine, _ pod: PodName, _ workload: Workload) throws {
        let logs = engine.configuration.logDirectory
        let folder = try #require(
            FileManager.default.contentsOfDirectory(atPath: logs).first { $0.contains(pod.text) })
        #expect(folder.hasPrefix("\(workload.app)_\(pod)_"))
        let metadata = try Data(contentsOf: URL(filePath: "\(logs)/\(folder)/metadata.json"))
        let values = try JSONDecoder().decode([String: String].self, from: metadata)
        #expect(values["app"] == workload.app.text)
        #expect(values["type"] == "web")
        #expect(values["version"] == "v1")
        #expect(values["pod"] == pod.text)
        let log = "\(logs)/\(folder)/\(workload.app)-web/0.log"
        #expect(FileManager.default.fileExists(atPath: log))
    }

    /// A process that never becomes ready, and what the person who deployed is told.
    struct BadProcess: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let arguments: [String]
        var readiness: Probe?
        let says: String
        var lines: [String] = []
    }

    static let badProcesses = [
        BadProcess(
            testDescription: "exits", arguments: ["sh", "-c", "echo one; echo two >&2; exit 3"],
            says: "exited with status 3", lines: ["one", "two"]),
        BadProcess(
            testDescription: "uses up its memory",
            arguments: ["sh", "-c", "x=0123456789abcdef; while true; do x=$x$x; done"], says: "memory"),
        BadProcess(
            // The container's init starts the program, so the engine sees an end instead of a failed start.
            testDescription: "has no program", arguments: ["no-such-program"], says: "exited with status 1"),
        BadProcess(
            testDescription: "listens elsewhere", arguments: ["httpd", "-f", "-p", "3000", "-h", "/bin"],
            says: "It listens on port 3000 instead"),
        BadProcess(
            testDescription: "listens to itself only",
            arguments: ["httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/bin"],
            says: "It listens on 127.0.0.1:8080 only"),
        BadProcess(
            testDescription: "does not listen", arguments: ["sleep", "60"], says: "It listens on no port at all"),
        BadProcess(
            testDescription: "answers badly", arguments: EngineFixture.server,
            readiness: EngineFixture.probe(.http(path: "/nothing-here", port: 8080, headers: [:])),
            says: "GET /nothing-here 404"),
        BadProcess(
            testDescription: "fails its own check", arguments: ["sleep", "60"],
            readiness: EngineFixture.probe(.exec(command: ["sh", "-c", "exit 9"])), says: "sh exited with 9"),
    ]

    @Test func badProcessesAreExplained() async throws {
        try await withPodmanEngine { engine, _ in
            let fixture = try EngineFixture()
            for bad in Self.badProcesses {
                let workload = try fixture.workload(bad.arguments, readiness: bad.readiness)
                let pod = PodName(for: workload)
                let error = await #expect(throws: EngineError.self, "\(bad.testDescription)") {
                    _ = try await engine.start(workload, as: pod, fence: 1)
                    _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(2))
                }
                #expect(error?.code == .unhealthy, "\(bad.testDescription)")
                #expect(error?.message.contains(bad.says) == true, "\(bad.testDescription): \(error?.message ?? "")")
                if !bad.lines.isEmpty { #expect(error?.lines == bad.lines) }
                try await engine.remove(pod, grace: .zero)
            }
        }
    }

    /// With the standard limit of a deploy, so that only the end of the process can be the reason.
    @Test func aProcessThatEndsAtOnceIsGivenUpAtOnce() async throws {
        try await withPodmanEngine { engine, _ in
            let workload = try EngineFixture().workload(["sh", "-c", "exit 3"])
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            let start = ContinuousClock.now
            await #expect(throws: EngineError.self) {
                _ = try await engine.awaitReady(pod, of: workload, deadline: .seconds(120))
            }
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test func anImageThatIsNowhereIsExplained() async throws {
        try await withPodmanEngine { engine, _ in
            let error = await #expect(throws: EngineError.self) {
                try await engine.prepare(
                    "127.0.0.1:1/a/b@sha256:\(String(repeating: "0", count: 64))", credentials: nil)
            }
            #expect(error?.code == .imageUnavailable)
        }
    }

    @Test func processesThatTakeNoRequestsAreReadyWhenTheyKeepRunning() async throws {
        try await withPodmanEngine { engine, _ in
            let workload = try EngineFixture().workload(["sleep", "60"], type: "worker", port: nil)
            let pod = PodName(for: workload)
            let status = try await engine.start(workload, as: pod, fence: 1)
            #expect(status.endpoint == nil)
            let words = try await engine.awaitReady(pod, of: workload, deadline: .seconds(20))
            #expect(words == "running")
        }
    }

    @Test func aOneOffProcessIsKilledWhenItsTimeIsOver() async throws {
        try await withPodmanEngine { engine, _ in
            var workload = try EngineFixture().workload(["sh", "-c", "echo begun; sleep 60"], type: "run", port: nil)
            workload.lifetime = .seconds(1)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            try await eventually(within: .seconds(30), "the process ends") {
                guard case .exited(let code, _)? = try await engine.pods(of: workload.app).first?.phase else {
                    return false
                }
                return code != 0
            }
            #expect(try await collect(engine.lines(of: pod, lines: nil, follow: false)) == ["begun"])
        }
    }

    @Test func processesOfAnAppFindEachOther() async throws {
        try await withPodmanEngine { engine, service in
            let fixture = try EngineFixture()
            let web = try fixture.workload(EngineFixture.server)
            let worker = try fixture.workload(["sleep", "60"], type: "worker", port: nil)
            let (webPod, workerPod) = (PodName(for: web), PodName(for: worker))
            _ = try await engine.start(web, as: webPod, fence: 1)
            _ = try await engine.start(worker, as: workerPod, fence: 1)
            _ = try await engine.awaitReady(webPod, of: web, deadline: .seconds(20))
            let (_, code) = try await service.podman.exec(
                in: workerPod.text, command: ["wget", "-q", "-O", "/dev/null", "http://web:8080/cat"])
            #expect(code == 0)
        }
    }

    @Test func aPodLeftHalfMadeIsUsedOrReplaced() async throws {
        try await withPodmanEngine { engine, service in
            let fixture = try EngineFixture()
            let workload = try fixture.workload(EngineFixture.server)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            try await service.podman.killContainer(pod.text, signal: "SIGKILL")
            _ = try await service.podman.waitForContainer(pod.text)
            let again = try await engine.start(workload, as: pod, fence: 1)
            #expect(again.isRunning)
            let newer = try fixture.workload(EngineFixture.server, release: 2)
            let replaced = try await engine.start(newer, as: pod, fence: 1)
            #expect(replaced.release == newer.release)
            #expect(try await engine.pods(of: fixture.app).count == 1)
        }
    }

    @Test func changesAreSignalled() async throws {
        try await withPodmanEngine { engine, _ in
            let workload = try EngineFixture().workload(EngineFixture.server)
            let pod = PodName(for: workload)
            var iterator = engine.changes().makeAsyncIterator()
            await iterator.next()
            async let change: Void? = iterator.next()
            _ = try await engine.start(workload, as: pod, fence: 1)
            #expect(await change != nil)
        }
    }

    @Test func followedLinesEndWithThePod() async throws {
        try await withPodmanEngine { engine, _ in
            let workload = try EngineFixture().workload(
                ["sh", "-c", "for n in 1 2 3; do echo $n; sleep 0.2; done"], type: "worker", port: nil)
            let pod = PodName(for: workload)
            _ = try await engine.start(workload, as: pod, fence: 1)
            let lines = try await collect(engine.lines(of: pod, lines: nil, follow: true))
            #expect(lines == ["1", "2", "3"])
            let last = try await collect(engine.lines(of: pod, lines: 1, follow: false))
            #expect(last == ["3"])
            let error = await #expect(throws: EngineError.self) {
                try await engine.lines(of: PodName("nobody-web-0000000000-abcde"), lines: nil, follow: false)
            }
            #expect(error?.code == .podNotFound)
        }
    }

    private func collect(_ stream: AsyncThrowingStream<String, any Error>) async throws -> [String] {
        try await stream.reduce(into: []) { $0.append($1) }
    }
}

import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import PlatformModel
import PodmanClient
import PodmanTestSupport
import Testing

@Suite(.enabled(if: PodmanService.isPossible), .timeLimit(.minutes(3)))
struct ContainerTests {
    @Test func aContainerLivesItsLife() async throws {
        try await withPodman { service in
            let podman = service.podman
            try await podman.createNetwork("wf-test-life", interface: "wftestlife", labels: ["a": "b"])
            try await podman.createSecret("life.0", Secret("line one\nline two"))
            var specification = ContainerSpecification(name: "life", image: PodmanService.image)
            specification.command = ["sh", "-c", "env; echo bad >&2; exec httpd -f -p 8080 -h /bin"]
            specification.environment = ["PLAIN": "p"]
            specification.secretEnvironment = ["HIDDEN": "life.0"]
            specification.labels = ["workflow.test": "life"]
            specification.join("wf-test-life", aliases: ["web"])
            specification.resources = .init(memory: 64 << 20, milliCPU: 500, processes: 32)
            specification.logging = .file(service.directory + "/life.log")
            specification.droppedCapabilities = ["ALL"]
            let id = try await podman.createContainer(specification)
            let duplicate = await #expect(throws: PodmanError.self) { try await podman.createContainer(specification) }
            #expect(duplicate?.code == .nameInUse)

            try await podman.startContainer("life")
            try await podman.startContainer("life")
            let details = try await podman.inspectContainer("life")
            #expect(details.id == id)
            #expect(details.state.status == .running)
            #expect(details.state.startedAt != nil)
            #expect(details.labels["workflow.test"] == "life")
            let address = try #require(details.address(in: "wf-test-life"))
            try await eventuallyAnswers(service, "http://\(address):8080/cat")

            let listed = try await podman.listContainers(labels: ["workflow.test=life"])
            #expect(listed.map(\.name) == ["life"])
            #expect(try await podman.listContainers(labels: ["workflow.test=other"]).isEmpty)
            let usage = try await podman.statistics(of: ["life"])
            #expect(usage.first?.memoryLimit == 64 << 20)

            var output: [OutputStream: String] = [:]
            for try await chunk in try await podman.logs(of: "life") { output[chunk.stream, default: ""] += chunk.text }
            #expect(output[.standardOutput]?.contains("HIDDEN=line one\nline two\n") == true)
            #expect(output[.standardOutput]?.contains("PLAIN=p\n") == true)
            #expect(output[.standardError] == "bad\n")

            try await podman.renameContainer("life", to: "second-life")
            try await podman.stopContainer("second-life", grace: .seconds(5))
            #expect(try await podman.inspectContainer("second-life").state.status.hasEnded)
            #expect(try await podman.removeContainer("second-life"))
            #expect(try await podman.removeContainer("second-life") == false)
            let missing = await #expect(throws: PodmanError.self) { try await podman.inspectContainer("second-life") }
            #expect(missing?.code == .notFound)
        }
    }

    @Test func exitCodesAndEventsAreSeen() async throws {
        try await withPodman { service in
            let podman = service.podman
            let events = try await podman.events(labels: ["workflow.test=exit"])
            var specification = ContainerSpecification(name: "exit", image: PodmanService.image)
            specification.command = ["sh", "-c", "exit 3"]
            specification.labels = ["workflow.test": "exit"]
            _ = try await podman.createContainer(specification)
            try await podman.startContainer("exit")
            let code = try await podman.waitForContainer("exit")
            #expect(code == 3)
            var actions: [String] = []
            for try await event in events {
                actions.append(event.action)
                #expect(event.name == "exit")
                if event.action == "died" { break }
            }
            #expect(actions.suffix(2) == ["start", "died"])
        }
    }

    @Test func followedLogsEndWithTheContainer() async throws {
        try await withPodman { service in
            var specification = ContainerSpecification(name: "talker", image: PodmanService.image)
            specification.command = ["sh", "-c", "for n in 1 2 3; do echo $n; sleep 0.2; done"]
            specification.logging = .file(service.directory + "/talker.log")
            _ = try await service.podman.createContainer(specification)
            try await service.podman.startContainer("talker")
            var text = ""
            for try await chunk in try await service.podman.logs(of: "talker", LogSelection(follows: true)) {
                text += chunk.text
            }
            #expect(text == "1\n2\n3\n")
        }
    }

    private func eventuallyAnswers(_ service: PodmanService, _ url: String) async throws {
        let response = try await service.http.sendRetrying(
            .init(url: url, timeout: .seconds(2)), attempts: 8, backoff: .init(initial: .milliseconds(50)))
        #expect(response.status == 200)
    }
}

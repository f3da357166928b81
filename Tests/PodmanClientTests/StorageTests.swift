import PlatformModel
import PodmanClient
import PodmanTestSupport
import Testing

@Suite(.enabled(if: PodmanService.isPossible), .timeLimit(.minutes(3)))
struct StorageTests {
    @Test func networksSecretsAndImagesAreKept() async throws {
        try await withPodman { service in
            let podman = service.podman
            let network = try await podman.createNetwork("wf-test-net", interface: "wftestnet", labels: ["app": "x"])
            #expect(network.subnets?.isEmpty == false)
            let again = await #expect(throws: PodmanError.self) { try await podman.createNetwork("wf-test-net") }
            #expect(again?.code == .nameInUse)
            #expect(try await podman.listNetworks(labels: ["app=x"]).map(\.name) == ["wf-test-net"])
            #expect(try await podman.inspectNetwork("wf-test-net").id == network.id)
            #expect(try await podman.removeNetwork("wf-test-net"))
            #expect(try await podman.removeNetwork("wf-test-net") == false)

            try await podman.createSecret("s", Secret("x"))
            let taken = await #expect(throws: PodmanError.self) { try await podman.createSecret("s", Secret("y")) }
            #expect(taken?.code == .nameInUse)
            try await podman.replaceSecret("s", Secret("z"))
            #expect(try await podman.listSecrets().map(\.name) == ["s"])
            #expect(try await podman.removeSecret("s"))
            #expect(try await podman.removeSecret("s") == false)

            #expect(try await podman.imageExists(PodmanService.image))
            #expect(try await podman.imageExists("localhost/no/such:1") == false)
            let image = try await podman.inspectImage(PodmanService.image)
            #expect(image.configuration.command == ["sh"])
            #expect(try await podman.listImages().count == 1)
            let unknown = await #expect(throws: PodmanError.self) {
                try await podman.createContainer(ContainerSpecification(name: "x", image: "localhost/no/such:1"))
            }
            #expect(unknown?.code == .imageUnknown)
            let unpulled = await #expect(throws: PodmanError.self) {
                try await podman.pullImage("127.0.0.1:1/x/y:1", usesPlainHTTP: true)
            }
            #expect(unpulled?.code == .pullFailed)
            #expect(try await podman.removeImage(PodmanService.image))
            let info = try await podman.info()
            #expect(info.host.networkBackend == "netavark")
            #expect(info.store.graphRoot.hasPrefix(service.directory))
        }
    }
}

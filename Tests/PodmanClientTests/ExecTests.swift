import ConcurrencyPrimitives
import PodmanClient
import PodmanTestSupport
import Testing

@Suite(.enabled(if: PodmanService.isPossible), .timeLimit(.minutes(3)))
struct ExecTests {
    @Test func commandsRunInsideAContainer() async throws {
        try await withPodman { service in
            let podman = service.podman
            var specification = ContainerSpecification(name: "host", image: PodmanService.image)
            specification.command = ["sleep", "600"]
            _ = try await podman.createContainer(specification)
            try await podman.startContainer("host")

            let (output, code) = try await podman.exec(
                in: "host", command: ["sh", "-c", "echo out; echo err >&2; exit 4"])
            #expect(code == 4)
            #expect(String(decoding: output, as: UTF8.self).contains("out\n"))

            let echoed = try await podman.withExec(
                in: "host", ExecSpecification(command: ["cat"], hasInput: true)
            ) { session in
                try await session.write(Array("to and fro\n".utf8))
                session.finishInput()
                var text = ""
                for try await chunk in session.output { text += chunk.text }
                #expect(text == "to and fro\n")
            }
            #expect(echoed == 0)

            let terminal = try await podman.withExec(
                in: "host", ExecSpecification(command: ["sh"], hasTerminal: true, hasInput: true)
            ) { session in
                try await session.resize(rows: 50, columns: 120)
                try await session.write(Array("stty size; exit 7\n".utf8))
                var text = ""
                for try await chunk in session.output { text += chunk.text }
                #expect(text.contains("50 120"))
            }
            #expect(terminal == 7)

            let left = try await podman.withExec(
                in: "host", ExecSpecification(command: ["cat"], hasInput: true)
            ) { _ in }
            #expect(left == 0 || left == nil)

            await #expect(throws: PodmanError.self) { try await podman.exec(in: "nowhere", command: ["true"]) }
            let missing = try await podman.exec(in: "host", command: ["no-such-program"])
            #expect(missing.exitCode == 127)
        }
    }
}

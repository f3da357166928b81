import CommandRunner
import Glibc

/// The base images the samples' Dockerfiles name, for machines that reach no image hub.
///
/// They are built from Debian packages by the source tree's `scripts/base-images`, kept in a cache that outlives the
/// installation, and loaded into its storage.
struct BaseImages: Sendable {
    /// The image that tells whether the others are there.
    static let sentinel = "docker.io/library/python:3-slim"

    let engine: ContainerEngine
    let script: String

    private var cache: String {
        geteuid() == 0 ? "/var/cache/workflow/base-images" : "\(engine.state.root)/cache/base-images"
    }

    /// Whether they are in the installation's storage.
    func arePresent() async throws -> Bool {
        try await CommandRunner.run(engine.podman(["image", "exists", Self.sentinel])).exit.isSuccess
    }

    /// Loads them, building what the cache lacks. Takes about two minutes the first time.
    func load(onLine: @escaping @Sendable (String) -> Void) async throws {
        var command = Command(
            script, ["load", cache], environment: engine.toolEnvironment, deadline: .seconds(1200))
        command.workingDirectory = engine.state.containers
        try await CommandRunner.check(Command("mkdir", ["-p", "--", cache]))
        let exit = try await CommandRunner.stream(command) { onLine($0.text) }
        guard exit.isSuccess else {
            throw OperatorError(
                "the base images could not be made: \(script) ended with \(exit)", next: "\(script) load \(cache)")
        }
    }
}

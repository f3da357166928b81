import CommandRunner
import ConcurrencyPrimitives
package import CurlTransfer
import FoundationEssentials
package import PodmanClient
import Subprocess
import SystemPackage
import TestSupport

/// A private container engine: podman's service with its own configuration, storage and networks.
package struct PodmanService: Sendable {
    /// The image of the tests: busybox, its commands by name, nothing else.
    package static let image = "localhost/test/busybox:1"

    package let podman: PodmanClient
    package let http: HTTPClient
    package let directory: String

    /// Whether this machine can run podman; decides about the suites that need it.
    package static let isPossible = ["/usr/bin/podman", "/bin/busybox"].allSatisfy(
        FileManager.default.fileExists(atPath:))
}

/// Engines take turns: each has locks of its own, and two that set up their first network at once meet in the kernel's
/// packet filter ("Chain already exists").
private let turns = KeyedQueue<String>()

/// Runs `body` while no other engine of the tests is at work: for tests that start one by other means.
package func withEngineTurn<Value: Sendable>(
    _ body: @Sendable () async throws -> Value
) async throws -> Value {
    try await turns.withKey("engine", body)
}

/// Runs `body` with a private engine that holds ``PodmanService/image``; everything in it is gone afterwards.
package func withPodman<Value: Sendable>(
    _ body: @escaping @Sendable (PodmanService) async throws -> Value
) async throws -> Value {
    try await turns.withKey("engine") { try await withOwnEngine(body) }
}

private func withOwnEngine<Value: Sendable>(
    _ body: @escaping @Sendable (PodmanService) async throws -> Value
) async throws -> Value {
    let directory = "/var/tmp/podman-test-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    let layout = EngineLayout(directory: directory)
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try layout.write(try await EngineProbe.shared.report())
    let value: Result<Value, any Error>
    do {
        value = .success(try await withService(layout, body))
    } catch {
        value = .failure(error)
    }
    try await removeEngine(layout)
    return try value.get()
}

/// The probe's outcome, found once for all suites.
private actor EngineProbe {
    static let shared = EngineProbe()
    private var running: Task<EngineHost.Report, any Error>?

    func report() async throws -> EngineHost.Report {
        // Awaited by everyone who asks.
        let task = running ?? Task { try await EngineHost.probe(in: "/var/tmp") }
        running = task
        return try await task.value
    }
}

private func withService<Value: Sendable>(
    _ layout: EngineLayout, _ body: @escaping @Sendable (PodmanService) async throws -> Value
) async throws -> Value {
    let http = try HTTPClient()
    let podman = PodmanClient(socket: layout.socket, http: http)
    let environment = ["PATH": Command.minimalPath].merging(layout.environment) { _, given in given }
    let values = Dictionary(
        uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })
    let outcome = try await run(
        .path("/usr/bin/podman"), arguments: Arguments(layout.serviceArguments), environment: .custom(values),
        workingDirectory: .init(layout.directory),
        input: .none, output: .discarded, error: .discarded
    ) { execution in
        try await eventually(within: .seconds(20), "podman answers") {
            try await podman.ping()
            return true
        }
        try await importBusybox(into: podman, as: PodmanService.image, workDirectory: layout.directory)
        let service = PodmanService(podman: podman, http: http, directory: layout.directory)
        let value: Result<Value, any Error>
        do {
            value = .success(try await body(service))
        } catch {
            value = .failure(error)
        }
        for container in try await podman.listContainers() {
            try await podman.removeContainer(container.id, force: true)
        }
        for network in try await podman.listNetworks() where network.name != "podman" {
            try await podman.removeNetwork(network.name)
        }
        try execution.send(signal: .terminate)
        return value
    }
    return try outcome.closureResult.get()
}

/// Gives an engine an image of busybox: its commands by name, nothing else.
package func importBusybox(into podman: PodmanClient, as name: String, workDirectory: String) async throws {
    let root = workDirectory + "/image"
    let files = FileManager.default
    try files.createDirectory(atPath: root + "/bin", withIntermediateDirectories: true)
    try files.createDirectory(atPath: root + "/tmp", withIntermediateDirectories: true)
    try files.copyItem(atPath: "/bin/busybox", toPath: root + "/bin/busybox")
    for command in busyboxCommands {
        try files.createSymbolicLink(atPath: "\(root)/bin/\(command)", withDestinationPath: "busybox")
    }
    let archive = workDirectory + "/image.tar"
    _ = try await CommandRunner.check(Command("tar", ["-C", root, "-cf", archive, "."]))
    _ = try await podman.importImage(archive: archive, as: name, changes: ["CMD [\"sh\"]"])
    try files.removeItem(atPath: root)
    try files.removeItem(atPath: archive)
}

private let busyboxCommands = [
    "sh", "cat", "sleep", "httpd", "nc", "env", "echo", "id", "ls", "true", "false", "stty", "seq", "wget", "mkdir",
]

private func removeEngine(_ layout: EngineLayout) async throws {
    // The overlay driver leaves its folder mounted on itself.
    for mount in ["/storage/overlay", "/storage"] {
        _ = try await CommandRunner.run(Command("umount", ["--quiet", layout.directory + mount]))
    }
    try FileManager.default.removeItem(atPath: layout.directory)
}

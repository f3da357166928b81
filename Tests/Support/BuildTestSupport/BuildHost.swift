package import CommandRunner
import FoundationEssentials
import Glibc
package import ObjectStorage
import OpenSSLCrypto
import PlatformModel
package import PodmanClient
import PodmanTestSupport
import TestSupport

/// A machine for image builds: container storage with a base image, the shipped registry, and object storage, each of
/// one test alone.
package struct BuildHost: Sendable {
    /// The base image of the tests: busybox, nothing else.
    package static let baseImage = "docker.io/library/busybox:latest"
    /// What the token server takes from a build.
    package static let password = "grant-of-the-build-4711"

    /// Whether this machine can build images.
    package static let isPossible = ["/usr/bin/buildah", "/usr/bin/skopeo", "/bin/busybox"].allSatisfy(
        FileManager.default.fileExists(atPath:))

    package let directory: String
    package let layout: EngineLayout
    package let registry: RegistryServer

    package var storageURL: String { "file://\(directory)/objects" }
    /// Where images and layers lie.
    package var storageFolder: String { layout.imageStore }
    package var cacheDirectory: String { directory + "/cache" }
    package var repository: String { "\(registry.address)/shop1/shop1" }

    /// The environment of an imagebuilder on this machine; steps have no network.
    package func environment(_ changes: [String: String] = [:]) -> [String: String] {
        layout.environment.merging([
            "IMAGEBUILDER_STORAGE_ROOT": layout.imageStore, "IMAGEBUILDER_STORAGE_RUNROOT": layout.runtimeState,
            "IMAGEBUILDER_NETWORK": "none", "HOME": directory, "LOG_LEVEL": "warning",
        ]) { _, new in new }.merging(changes) { _, new in new }
    }

    package func buildah(_ arguments: [String]) -> Command {
        Command(
            "buildah", ["--root", layout.imageStore, "--runroot", layout.runtimeState] + arguments,
            environment: layout.environment.merging(["BUILDAH_ISOLATION": "oci"]) { own, _ in own },
            deadline: .seconds(60))
    }

    package func store() async throws -> any ObjectStore {
        try await makeObjectStore(url: storageURL, accessKey: nil, secretKey: nil)
    }

    /// A source bundle as the builder stores it.
    package struct Source: Sendable {
        package let key: String
        package let digest: String

        package init(key: String, digest: String) {
            self.key = key
            self.digest = digest
        }
    }

    /// Stores files, and links given as `-> target`, as a source bundle.
    package func makeSource(_ files: [String: String]) async throws -> Source {
        let random = UInt64.random(in: .min ... .max)
        let folder = "\(directory)/source-\(random)"
        let manager = FileManager.default
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text) in files {
            let path = "\(folder)/\(name)"
            let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
            try manager.createDirectory(atPath: parent, withIntermediateDirectories: true)
            if text.hasPrefix("-> ") {
                try manager.createSymbolicLink(atPath: path, withDestinationPath: String(text.dropFirst(3)))
            } else {
                try Data(text.utf8).write(to: URL(filePath: path))
            }
        }
        let tar = try await CommandRunner.check(
            Command("tar", ["-C", folder, "--sort=name", "-cf", "-", "."], outputLimit: 64 << 20))
        try manager.removeItem(atPath: folder)
        let hash = SHA256Digest()
        hash.update(tar.standardOutput)
        let key = "sources/shop1/\(random).tar"
        try await store().put(try ObjectKey(key), bytes: tar.standardOutput)
        return Source(key: key, digest: "sha256:" + hash.hexDigest())
    }

    /// A work folder as the builder makes one.
    package func makeWorkFolder() throws -> String {
        let path = "\(directory)/work/\(UInt64.random(in: .min ... .max))"
        for folder in [path, cacheDirectory] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        return path
    }

    /// What builds that are over have left: working containers, mounts, steps, processes.
    package func leftovers() async throws -> [String] {
        let containers = try await CommandRunner.check(buildah(["containers", "--quiet"])).text
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8).split(separator: "\n")
            .filter { $0.contains("\(layout.imageStore)/overlay/") }
        let processes = processes(below: directory + "/work").map { "process \($0.pid): \($0.arguments)" }
        return containers.split(separator: "\n").map { "container \($0)" } + mounts.map { "mount \($0)" }
            + runningSteps() + processes
    }

    /// The build steps a container runtime still knows, of any build on this machine.
    private func runningSteps() -> [String] {
        ["/run/runc", "/run/crun"].flatMap { folder in
            do {
                return try FileManager.default.contentsOfDirectory(atPath: folder).filter { name in
                    name.hasPrefix("buildah-") && isOurs("\(folder)/\(name)")
                }.map { "step \($0)" }
            } catch {
                // A runtime that is not used here keeps no state.
                return []
            }
        }
    }

    private func isOurs(_ state: String) -> Bool {
        ["state.json", "status"].contains { name in
            do {
                return try String(contentsOfFile: "\(state)/\(name)", encoding: .utf8).contains(directory + "/work/")
            } catch {
                // Another build's step has ended meanwhile.
                return false
            }
        }
    }

    /// The processes that work in a folder or below it.
    package func processes(below folder: String) -> [ProcessIdentity] {
        ProcessIdentity.all().filter { process in
            do {
                let place = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.pid)/cwd")
                return place == folder || place.hasPrefix(folder + "/") || place.hasPrefix(folder + " (deleted)")
            } catch {
                // It has gone meanwhile.
                return false
            }
        }
    }
}

/// What container features this machine has, found once for all suites.
private actor HostProbe {
    static let shared = HostProbe()
    private var running: Task<EngineHost.Report, any Error>?

    func report() async throws -> EngineHost.Report {
        // Awaited by everyone who asks.
        let task = running ?? Task { try await withEngineTurn { try await EngineHost.probe(in: "/var/tmp") } }
        running = task
        return try await task.value
    }
}

/// Runs `body` on a build host of its own; everything on it is gone afterwards.
package func withBuildHost(_ body: @escaping @Sendable (BuildHost) async throws -> Void) async throws {
    let directory = "/var/tmp/build-test-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    let layout = EngineLayout(directory: directory + "/containers")
    for folder in ["objects", "cache", "work"] {
        try FileManager.default.createDirectory(
            atPath: "\(directory)/\(folder)", withIntermediateDirectories: true)
    }
    let outcome: Result<Void, any Error>
    do {
        try layout.write(try await HostProbe.shared.report())
        try await withRegistryServer(in: directory) { registry in
            let host = BuildHost(directory: directory, layout: layout, registry: registry)
            try await host.makeBaseImage()
            try await body(host)
        }
        outcome = .success(())
    } catch {
        outcome = .failure(error)
    }
    try await remove(BuildHost(directory: directory, layout: layout, registry: .gone))
    try outcome.get()
}

extension BuildHost {
    /// Makes the base image, or puts another with these empty files at its top in its place.
    package func makeBaseImage(files names: [String] = []) async throws {
        let root = directory + "/base"
        let files = FileManager.default
        try files.createDirectory(atPath: root + "/bin", withIntermediateDirectories: true)
        try files.createDirectory(atPath: root + "/tmp", withIntermediateDirectories: true)
        try files.copyItem(atPath: "/bin/busybox", toPath: root + "/bin/busybox")
        for command in [
            "sh", "cat", "sleep", "echo", "ls", "dd", "true", "false", "head", "seq", "printf", "env", "mkdir",
        ] {
            try files.createSymbolicLink(atPath: "\(root)/bin/\(command)", withDestinationPath: "busybox")
        }
        for name in names { try Data().write(to: URL(filePath: "\(root)/\(name)")) }
        let container = try await CommandRunner.check(buildah(["from", "scratch"])).text
        for arguments in [
            ["copy", "--quiet", container, root, "/"],
            ["config", "--env", "PATH=/bin", "--cmd", "[\"sh\"]", container],
            ["commit", "--quiet", "--rm", container, Self.baseImage],
        ] {
            try await CommandRunner.check(buildah(arguments))
        }
        try files.removeItem(atPath: root)
    }
}

private func remove(_ host: BuildHost) async throws {
    for process in host.processes(below: host.directory + "/work") { process.send(signal: SIGKILL) }
    _ = try await CommandRunner.run(host.buildah(["rm", "--all"]))
    // The overlay driver leaves its folder mounted on itself.
    _ = try await CommandRunner.run(Command("umount", ["--quiet", host.layout.imageStore + "/overlay"]))
    try await CommandRunner.check(Command("rm", ["-rf", "--", host.directory]))
}

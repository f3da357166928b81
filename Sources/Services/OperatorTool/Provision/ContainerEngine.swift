import CommandRunner
import FoundationEssentials
import Glibc
import ServiceRuntime

/// The installation's own podman: its configuration, storage and API service, apart from the machine's.
struct ContainerEngine: Sendable {
    let state: StateDirectory
    /// The registry that is spoken to without TLS, `address:port`.
    let registry: String

    private var directory: String { state.containers }
    var storageRoot: String { "\(directory)/storage" }
    var runRoot: String { "\(state.run)/containers" }
    private var configurationPath: String { "\(directory)/containers.conf" }

    /// What every podman and buildah of this installation needs to see.
    var toolEnvironment: [String: String] {
        [
            "CONTAINERS_CONF": configurationPath, "CONTAINERS_STORAGE_CONF": "\(directory)/storage.conf",
            "CONTAINERS_REGISTRIES_CONF": "\(directory)/registries.conf", "HOME": directory, "TMPDIR": "\(directory)/tmp",
            "XDG_RUNTIME_DIR": state.run,
        ]
    }

    /// The controller's way to the engine.
    var clientEnvironment: [String: String] { ["PODMAN_SOCKET": state.engineSocket] }

    /// The builder's: images are built in the storage they are started from.
    var buildEnvironment: [String: String] {
        toolEnvironment.merging([
            "IMAGEBUILDER_STORAGE_ROOT": storageRoot, "IMAGEBUILDER_STORAGE_RUNROOT": runRoot,
        ]) { _, new in new }
    }

    /// Writes the configuration; the first time it finds out by trial what works on this host.
    func prepare() async throws -> String {
        for path in [directory, storageRoot, runRoot, "\(directory)/tmp"] {
            try StateFile.makeDirectory(path, mode: 0o711)
        }
        try StateFile.write(
            """
            [storage]
            driver = "overlay"
            graphroot = "\(storageRoot)"
            runroot = "\(runRoot)"

            """, to: "\(directory)/storage.conf", mode: 0o644)
        try StateFile.write(
            """
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            location = "\(registry)"
            insecure = true

            """, to: "\(directory)/registries.conf", mode: 0o644)
        if access(configurationPath, F_OK) == 0 { return "configuration of the last start" }
        return try await findConfiguration()
    }

    /// Runs a container that does nothing under one configuration after the other and keeps the first that works.
    private func findConfiguration() async throws -> String {
        var said: [String] = []
        for candidate in EngineCandidate.all {
            try StateFile.write(candidate.text, to: configurationPath, mode: 0o644)
            do {
                try await probe()
                return candidate.description
            } catch let error as CommandError {
                said.append("\(candidate.description): \(error.detail)")
            }
        }
        try StateFile.remove(configurationPath)
        throw OperatorError(
            "podman cannot run a container on this host", next: "workflow doctor",
            evidence: said.map { $0.split(whereSeparator: \.isNewline).joined(separator: " ") })
    }

    /// Runs one container that does nothing, from a folder that holds only busybox.
    func probe() async throws {
        let root = "\(directory)/probe/bin"
        try StateFile.makeDirectory(root, mode: 0o755)
        if access("\(root)/busybox", X_OK) != 0 {
            try await CommandRunner.check(Command("cp", ["/bin/busybox", "\(root)/busybox"]))
        }
        try await CommandRunner.check(
            podman(["run", "--rm", "--network", "none", "--rootfs", "\(directory)/probe", "/bin/busybox", "true"]))
    }

    /// A podman command on this installation's storage.
    func podman(_ arguments: [String], deadline: Duration = .seconds(60)) -> Command {
        Command("podman", arguments, environment: toolEnvironment, workingDirectory: directory, deadline: deadline)
    }

    func plan() -> ProcessPlan {
        var command = podman(["system", "service", "--time", "0", "unix://\(state.engineSocket)"])
        command.grace = .seconds(15)
        var plan = ProcessPlan(
            name: "engine", command: command,
            readiness: .unixSocket(state.engineSocket, path: "/v4.0.0/libpod/_ping"))
        plan.tier = .infrastructure
        plan.leavesHelpers = true
        plan.address = "unix:\(state.engineSocket)"
        return plan
    }

    /// Stops every container and leaves it for the next start.
    /// - Returns: how many were running.
    func stopContainers() async throws -> Int {
        let running = try await CommandRunner.check(podman(["ps", "--quiet"])).text.split(separator: "\n").count
        guard running > 0 else { return 0 }
        try await CommandRunner.check(podman(["stop", "--all", "--time", "10"], deadline: .seconds(120)))
        return running
    }

    /// Whether the engine was ever configured here.
    var isPrepared: Bool { access(configurationPath, F_OK) == 0 }

    /// Removes every container, its storage's mounts and its networks, so that the folder can be deleted.
    func removeAll() async throws {
        guard isPrepared else { return }
        try await CommandRunner.check(podman(["system", "reset", "--force"], deadline: .seconds(180)))
    }
}

/// One way to configure the engine that works on some hosts and not on others.
struct EngineCandidate: Sendable {
    let runtime: String
    /// Hosts that may not raise limits refuse containers with podman's defaults.
    let hasLowLimits: Bool

    static let all = [
        EngineCandidate(runtime: "crun", hasLowLimits: false), EngineCandidate(runtime: "runc", hasLowLimits: false),
        EngineCandidate(runtime: "crun", hasLowLimits: true), EngineCandidate(runtime: "runc", hasLowLimits: true),
    ]

    var description: String { "podman with \(runtime)\(hasLowLimits ? " and low default limits" : "")" }

    var text: String {
        let limits = hasLowLimits ? "default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n" : ""
        let manager = access("/run/systemd/system", F_OK) == 0 && geteuid() == 0 ? "systemd" : "cgroupfs"
        return """
            # Found by trial at the first start; delete this file to have it found again.
            [engine]
            runtime = "\(runtime)"
            cgroup_manager = "\(manager)"
            events_logger = "file"
            [containers]
            \(limits)
            """
    }
}

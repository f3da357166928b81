import CommandRunner
import FoundationEssentials
import Glibc
import PodmanClient
import ServiceRuntime

/// The installation's own podman: its configuration, storage and API service, apart from the machine's.
struct ContainerEngine: Sendable {
    let state: StateDirectory

    private var layout: EngineLayout { EngineLayout(directory: state.containers) }
    /// Says in which life of the machine the runtime state was written.
    private var bootMarker: String { "\(state.containers)/boot" }

    /// What every podman and buildah of this installation needs to see.
    var toolEnvironment: [String: String] {
        layout.environment.merging(["HOME": state.containers, "XDG_RUNTIME_DIR": state.run]) { own, _ in own }
    }

    /// The controller's way to the engine.
    var clientEnvironment: [String: String] {
        ["PODMAN_SOCKET": layout.socket, "ENGINE_LOG_DIRECTORY": state.podLogs]
    }

    /// The builder's: images are built in the storage they are started from.
    var buildEnvironment: [String: String] {
        toolEnvironment.merging([
            "IMAGEBUILDER_STORAGE_ROOT": layout.imageStore, "IMAGEBUILDER_STORAGE_RUNROOT": layout.runtimeState,
        ]) { _, new in new }
    }

    /// Whether the engine was ever configured here.
    var isPrepared: Bool { access(layout.containersConfiguration, F_OK) == 0 }

    /// Writes the configuration; the first time it finds out by trial what works on this host.
    /// - Returns: what was found.
    func prepare() async throws -> String {
        try await forgetOlderBoot()
        try await reserveAddresses()
        if isPrepared { return "configured before" }
        do {
            let report = try await EngineHost.probe(in: state.containers)
            try layout.write(report)
            return "\(report.runtime) on \(report.storageDriver.rawValue)"
        } catch let unusable as EngineHost.Unusable {
            throw OperatorError(
                "podman cannot run a container on this host", next: "workflow doctor", evidence: unusable.remarks)
        }
    }

    /// After a reboot the runtime state speaks of processes that are gone; podman must find it empty.
    private func forgetOlderBoot() async throws {
        let boot = try StateFile.readText("/proc/sys/kernel/random/boot_id") ?? ""
        let known = try StateFile.readText(bootMarker)
        if known == boot { return }
        if known != nil { try await CommandRunner.check(Command("rm", ["-rf", "--", layout.runtimeState])) }
        try StateFile.write(boot, to: bootMarker, mode: 0o644)
    }

    /// Keeps what is sent to a pod that is gone on this machine. With the last pod of an app its network ends, and the
    /// default route would take the request to whoever has the address out there. Networks precede this route.
    private func reserveAddresses() async throws {
        try await CommandRunner.check(
            Command("ip", ["-4", "route", "replace", "unreachable", layout.networkRange, "metric", "4294967295"]))
    }

    /// Does nothing where they are not reserved.
    func releaseAddresses() async throws {
        try await CommandRunner.check(
            Command("ip", ["-4", "route", "flush", "type", "unreachable", "exact", layout.networkRange]))
    }

    /// A podman command on this installation's storage.
    func podman(_ arguments: [String], deadline: Duration = .seconds(60)) -> Command {
        Command(
            "podman", arguments, environment: toolEnvironment, workingDirectory: state.containers, deadline: deadline)
    }

    /// Runs one container that does nothing, from a folder that holds only busybox.
    func runNothing() async throws {
        let programs = "\(state.containers)/trial/bin"
        try StateFile.makeDirectory(programs, mode: 0o755)
        try await CommandRunner.check(Command("cp", ["--", "/bin/busybox", "\(programs)/busybox"]))
        try await CommandRunner.check(
            podman([
                "run", "--rm", "--network", "none", "--rootfs", "\(state.containers)/trial", "/bin/busybox", "true",
            ]))
    }

    func plan() -> ProcessPlan {
        var command = podman(layout.serviceArguments)
        command.grace = .seconds(15)
        var plan = ProcessPlan(
            name: "engine", command: command,
            readiness: .unixSocket(layout.socket, path: "/v4.0.0/libpod/_ping"))
        plan.tier = .infrastructure
        plan.leavesHelpers = true
        plan.address = "unix:\(layout.socket)"
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

    /// Removes containers, networks and mounts, so that the folder can be deleted.
    func removeAll() async throws {
        guard isPrepared else { return try await unmountAll() }
        try await CommandRunner.check(podman(["rm", "--all", "--force", "--time", "5"], deadline: .seconds(180)))
        try await CommandRunner.check(podman(["network", "prune", "--force"]))
        try await unmountAll()
    }

    /// The overlay driver keeps folders mounted on themselves, also those of a trial that was interrupted.
    private func unmountAll() async throws {
        let mounts = (try StateFile.readText("/proc/self/mounts") ?? "").split(separator: "\n")
            .compactMap { line in line.split(separator: " ").dropFirst().first.map(String.init) }
            .filter { $0.hasPrefix("\(state.containers)/") }
        for mount in mounts.sorted().reversed() {
            try await CommandRunner.check(Command("umount", ["--lazy", "--", mount]))
        }
    }
}

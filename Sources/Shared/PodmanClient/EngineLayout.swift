import FoundationEssentials

/// Where one container engine keeps its state, and the configuration files that send podman and buildah there.
///
/// Two engines on one machine never meet: locks, storage, network definitions and address ranges are each engine's own.
package struct EngineLayout: Sendable, Hashable {
    package let directory: String
    /// The second byte of the addresses of this engine's networks, 10.x.0.0/16.
    package let networkByte: Int

    /// - Parameters:
    ///   - directory: an absolute path; everything lies below it.
    ///   - networkSeed: decides the address range; the directory itself by default.
    package init(directory: String, networkSeed: String? = nil) {
        self.directory = directory
        // 10.92 to 10.219: clear of 10.88 and 10.89, where podman puts networks by default.
        let hash = (networkSeed ?? directory).utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        networkByte = 92 + Int(hash % 128)
    }

    /// The addresses of all this engine's networks.
    package var networkRange: String { "10.\(networkByte).0.0/16" }
    package var imageStore: String { directory + "/storage" }
    package var runtimeState: String { directory + "/run" }
    package var socket: String { directory + "/podman.sock" }
    package var containersConfiguration: String { directory + "/containers.conf" }
    package var storageConfiguration: String { directory + "/storage.conf" }

    /// What podman and buildah need in their environment.
    package var environment: [String: String] {
        [
            "CONTAINERS_CONF": containersConfiguration,
            "CONTAINERS_STORAGE_CONF": storageConfiguration,
            "TMPDIR": directory + "/tmp",
        ]
    }

    /// The command that serves podman's API on ``socket`` until it is stopped.
    package var serviceArguments: [String] { ["system", "service", "--time", "0", "unix://" + socket] }

    /// Writes both configuration files and makes the folders; safe to repeat.
    package func write(_ report: EngineHost.Report) throws {
        for folder in [directory, directory + "/networks", directory + "/tmp"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        try Data(containersText(report).utf8).write(to: URL(filePath: containersConfiguration), options: .atomic)
        try Data(storageText(report).utf8).write(to: URL(filePath: storageConfiguration), options: .atomic)
    }

    private func containersText(_ report: EngineHost.Report) -> String {
        let files = min(report.openFiles, 65536)
        let processes = min(report.processes, 32768)
        return """
            # Written by the platform; changes are lost at its next start.
            [containers]
            default_ulimits = ["nofile=\(files):\(files)", "nproc=\(processes):\(processes)"]
            log_driver = "k8s-file"

            [engine]
            runtime = "\(report.runtime)"
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            lock_type = "file"
            static_dir = \(quoted(imageStore + "/libpod"))
            tmp_dir = \(quoted(runtimeState + "/libpod"))
            volume_path = \(quoted(imageStore + "/volumes"))

            [network]
            network_backend = "netavark"
            network_config_dir = \(quoted(directory + "/networks"))
            default_subnet_pools = [{"base" = "\(networkRange)", "size" = 25}]

            """
    }

    private func storageText(_ report: EngineHost.Report) -> String {
        let driver = report.storageDriver == .vfs ? "vfs" : "overlay"
        var text = """
            # Written by the platform; changes are lost at its next start.
            [storage]
            driver = "\(driver)"
            graphroot = \(quoted(imageStore))
            runroot = \(quoted(runtimeState))

            """
        if report.storageDriver == .fuseOverlay {
            text += "\n[storage.options.overlay]\nmount_program = \"/usr/bin/fuse-overlayfs\"\n"
        }
        return text
    }

    /// A TOML basic string.
    private func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

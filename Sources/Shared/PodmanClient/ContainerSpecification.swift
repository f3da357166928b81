/// What a new container shall be; the members of podman's SpecGenerator that we set.
package struct ContainerSpecification: Encodable, Sendable {
    package struct Resources: Encodable, Sendable {
        package struct Memory: Encodable, Sendable {
            package var limit: Int
            package var swap: Int
        }

        package struct CPU: Encodable, Sendable {
            package var quota: Int
            package var period: Int
        }

        package struct Processes: Encodable, Sendable {
            package var limit: Int
        }

        private enum CodingKeys: String, CodingKey {
            case memory, cpu
            case processes = "pids"
        }

        package var memory: Memory?
        package var cpu: CPU?
        package var processes: Processes?

        /// - Parameters:
        ///   - memory: bytes, swap included, so that a limit means what it says.
        ///   - milliCPU: thousandths of one processor.
        ///   - processes: threads and processes together.
        package init(memory: Int? = nil, milliCPU: Int? = nil, processes: Int? = nil) {
            self.memory = memory.map { Memory(limit: $0, swap: $0) }
            cpu = milliCPU.map { CPU(quota: $0 * 100, period: 100_000) }
            self.processes = processes.map { Processes(limit: $0) }
        }
    }

    package struct NetworkAttachment: Encodable, Sendable {
        package var aliases: [String]
        package init(aliases: [String] = []) { self.aliases = aliases }
    }

    package struct NetworkMode: Encodable, Sendable {
        private enum CodingKeys: String, CodingKey { case mode = "nsmode" }
        package var mode: String
    }

    package struct Logging: Encodable, Sendable {
        package var driver: String
        package var path: String?
        package var size: Int?

        /// Lines `time stream F|P text` in a file; a positive size truncates it when reached.
        package static func file(_ path: String, size: Int? = nil) -> Self {
            Self(driver: "k8s-file", path: path, size: size)
        }
    }

    package struct Mount: Encodable, Sendable {
        package var type: String
        package var source: String
        package var destination: String
        package var options: [String]

        package static func bind(_ source: String, to destination: String, readOnly: Bool) -> Self {
            Self(
                type: "bind", source: source, destination: destination, options: readOnly ? ["ro", "rbind"] : ["rbind"])
        }
    }

    private enum CodingKeys: String, CodingKey {
        case name, image, entrypoint, command, labels, mounts, terminal, stdin, user
        case environment = "env"
        case secretEnvironment = "secret_env"
        case workingDirectory = "work_dir"
        case hostName = "hostname"
        case networkMode = "netns"
        case networks = "Networks"
        case resources = "resource_limits"
        case logging = "log_configuration"
        case restartPolicy = "restart_policy"
        case stopSignal = "stop_signal"
        case stopTimeout = "stop_timeout"
        case lifetime = "timeout"
        case refusesNewPrivileges = "no_new_privileges"
        case droppedCapabilities = "cap_drop"
        case addedCapabilities = "cap_add"
        case hasInit = "init"
        case systemd
    }

    package var name: String
    package var image: String
    /// Replaces the image's entry point; nil keeps it.
    package var entrypoint: [String]?
    /// Replaces the image's command; nil keeps it.
    package var command: [String]?
    /// Visible to whoever may inspect the container; values worth hiding go to ``secretEnvironment``.
    package var environment: [String: String] = [:]
    /// Variable name to the name of the podman secret that holds its value.
    package var secretEnvironment: [String: String] = [:]
    package var workingDirectory: String?
    package var user: String?
    package var hostName: String?
    package var labels: [String: String] = [:]
    package var networks: [String: NetworkAttachment]?
    package var networkMode: NetworkMode?
    package var resources: Resources?
    package var logging: Logging?
    package var mounts: [Mount]?
    package var restartPolicy = "no"
    /// A signal number.
    package var stopSignal: Int?
    /// Seconds.
    package var stopTimeout: Int?
    /// Seconds after which the container is killed, whoever started it; nil for never.
    package var lifetime: Int?
    package var refusesNewPrivileges = true
    package var droppedCapabilities: [String] = []
    package var addedCapabilities: [String] = []
    /// Runs the process under a small init, which passes signals on and reaps orphans.
    package var hasInit = true
    package var terminal = false
    package var stdin = false
    package var systemd = "false"

    package init(name: String, image: String) {
        self.name = name
        self.image = image
    }

    /// Joins a bridge network, under these further names in its DNS.
    package mutating func join(_ network: String, aliases: [String] = []) {
        networkMode = NetworkMode(mode: "bridge")
        networks = [network: NetworkAttachment(aliases: aliases)]
    }
}

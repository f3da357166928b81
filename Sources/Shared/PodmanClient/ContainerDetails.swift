package import FoundationEssentials
import PlatformModel

/// A container's state as podman names it; unknown words are kept.
package enum ContainerStatus: Sendable, Hashable {
    case created, initialized, running, paused, stopping, stopped, exited, removing, restarting
    case other(String)

    init(_ word: String) {
        switch word {
        case "created", "configured": self = .created
        case "initialized": self = .initialized
        case "running": self = .running
        case "paused": self = .paused
        case "stopping": self = .stopping
        case "stopped": self = .stopped
        case "exited": self = .exited
        case "removing": self = .removing
        case "restarting": self = .restarting
        default: self = .other(word)
        }
    }

    /// Whether the process has ended, or never was started by anyone still interested.
    package var hasEnded: Bool { self == .exited || self == .stopped }
}

extension ContainerStatus: Decodable {
    package init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }
}

/// One row of the container list.
package struct ContainerSummary: Decodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case names = "Names"
        case labels = "Labels"
        case status = "State"
        case image = "Image"
        case exitCode = "ExitCode"
        case processID = "Pid"
    }

    package let id: String
    package let names: [String]
    private let labels: [String: String]?
    package let status: ContainerStatus
    package let image: String
    package let exitCode: Int
    /// Of the container's first process on the host; 0 when it does not run.
    package let processID: Int

    package var name: String { names.first ?? id }
    package func label(_ name: String) -> String? { labels?[name] }
    package var allLabels: [String: String] { labels ?? [:] }
}

/// Everything podman knows of one container, reduced to what we use.
package struct ContainerDetails: Decodable, Sendable {
    package struct State: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case status = "Status"
            case exitCode = "ExitCode"
            case isOutOfMemory = "OOMKilled"
            case error = "Error"
            case started = "StartedAt"
            case finished = "FinishedAt"
            case processID = "Pid"
        }

        package let status: ContainerStatus
        package let exitCode: Int
        package let isOutOfMemory: Bool
        package let error: String?
        /// Of the container's first process on the host; 0 when it does not run.
        package let processID: Int
        private let started: String
        private let finished: String

        /// nil when the container never ran.
        package var startedAt: Date? { Self.date(started) }
        /// nil when it never ended.
        package var finishedAt: Date? { Self.date(finished) }

        /// podman writes Go's zero time for "never" and nanoseconds that have to be cut.
        private static func date(_ text: String) -> Date? {
            guard !text.hasPrefix("0001-") else { return nil }
            let seconds = text.prefix(19)
            return Date(wire: seconds + "Z")
        }
    }

    package struct Configuration: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case labels = "Labels"
            case command = "Cmd"
            case environment = "Env"
            case hasTerminal = "Tty"
            case healthcheck = "Healthcheck"
        }

        package struct Healthcheck: Decodable, Sendable {
            private enum CodingKeys: String, CodingKey { case test = "Test" }
            package let test: [String]?
        }

        fileprivate let labels: [String: String]?
        package let command: [String]?
        package let environment: [String]?
        package let hasTerminal: Bool
        package let healthcheck: Healthcheck?
    }

    private struct Network: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey { case address = "IPAddress" }
        let address: String?
    }

    private struct NetworkSettings: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey { case networks = "Networks" }
        let networks: [String: Network]?
    }

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case name = "Name"
        case state = "State"
        case configuration = "Config"
        case imageName = "ImageName"
        case imageDigest = "ImageDigest"
        case image = "Image"
        case entryPath = "Path"
        case entryArguments = "Args"
        case restartCount = "RestartCount"
        case networkSettings = "NetworkSettings"
        case created = "Created"
    }

    package let id: String
    package let name: String
    package let state: State
    package let configuration: Configuration
    package let imageName: String
    package let imageDigest: String?
    package let image: String
    package let entryPath: String
    package let entryArguments: [String]?
    package let restartCount: Int?
    package let created: String
    private let networkSettings: NetworkSettings?

    package var labels: [String: String] { configuration.labels ?? [:] }
    package var networks: [String] { (networkSettings?.networks ?? [:]).keys.sorted() }

    /// The address in `network`; nil while the container does not run.
    package func address(in network: String) -> String? {
        let address = networkSettings?.networks?[network]?.address ?? ""
        return address.isEmpty ? nil : address
    }
}

/// What a container uses right now.
package struct ContainerStatistics: Decodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id = "ContainerID"
        case name = "Name"
        case cpuNanoseconds = "CPUNano"
        case memoryUsed = "MemUsage"
        case memoryLimit = "MemLimit"
        case networkReceived = "NetInput"
        case networkSent = "NetOutput"
        case processes = "PIDs"
    }

    package let id: String
    package let name: String
    /// Processor time since the start.
    package let cpuNanoseconds: UInt64
    package let memoryUsed: UInt64
    package let memoryLimit: UInt64
    package let networkReceived: UInt64
    package let networkSent: UInt64
    package let processes: UInt64
}

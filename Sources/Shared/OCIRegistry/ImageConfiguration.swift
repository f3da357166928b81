import FoundationEssentials

/// The configuration of an image: how a container of it is started.
package struct ImageConfiguration: Codable, Hashable, Sendable {
    /// The defaults for containers of the image.
    package struct Execution: Codable, Hashable, Sendable {
        /// The user, a name or number, optionally with a group.
        package var user: String?
        /// Ports the image declares, as `8080/tcp`.
        package var exposedPorts: [String]
        /// The environment, each entry `KEY=value`.
        package var environment: [String]
        /// The program containers start, before the command.
        package var entrypoint: [String]
        /// The default command or the arguments of the entrypoint.
        package var command: [String]
        /// The working directory.
        package var workingDirectory: String?
        /// Labels of the image.
        package var labels: [String: String]
        /// The signal that asks a container to stop.
        package var stopSignal: String?

        private enum CodingKeys: String, CodingKey {
            case user = "User"
            case exposedPorts = "ExposedPorts"
            case environment = "Env"
            case entrypoint = "Entrypoint"
            case command = "Cmd"
            case workingDirectory = "WorkingDir"
            case labels = "Labels"
            case stopSignal = "StopSignal"
        }

        private struct Empty: Codable, Hashable {}

        /// Declares nothing.
        package init() {
            exposedPorts = []
            environment = []
            entrypoint = []
            command = []
            labels = [:]
        }

        package init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            user = try members.decodeIfPresent(String.self, forKey: .user)
            exposedPorts =
                try members.decodeIfPresent([String: Empty].self, forKey: .exposedPorts)?.keys.sorted() ?? []
            environment = try members.decodeIfPresent([String].self, forKey: .environment) ?? []
            entrypoint = try members.decodeIfPresent([String].self, forKey: .entrypoint) ?? []
            command = try members.decodeIfPresent([String].self, forKey: .command) ?? []
            workingDirectory = try members.decodeIfPresent(String.self, forKey: .workingDirectory)
            labels = try members.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
            stopSignal = try members.decodeIfPresent(String.self, forKey: .stopSignal)
        }

        package func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: CodingKeys.self)
            try members.encodeIfPresent(user, forKey: .user)
            let ports = Dictionary(exposedPorts.map { ($0, Empty()) }) { first, _ in first }
            try members.encodeIfPresent(ports.isEmpty ? nil : ports, forKey: .exposedPorts)
            try members.encodeIfPresent(environment.isEmpty ? nil : environment, forKey: .environment)
            try members.encodeIfPresent(entrypoint.isEmpty ? nil : entrypoint, forKey: .entrypoint)
            try members.encodeIfPresent(command.isEmpty ? nil : command, forKey: .command)
            try members.encodeIfPresent(workingDirectory, forKey: .workingDirectory)
            try members.encodeIfPresent(labels.isEmpty ? nil : labels, forKey: .labels)
            try members.encodeIfPresent(stopSignal, forKey: .stopSignal)
        }
    }

    /// The digests of the uncompressed layers, bottom first.
    package struct RootFileSystem: Codable, Hashable, Sendable {
        /// Always `layers`.
        package var type: String
        /// One digest per layer.
        package var layers: [ImageDigest]

        private enum CodingKeys: String, CodingKey {
            case type
            case layers = "diff_ids"
        }
    }

    /// The processor, in Go's names.
    package var architecture: String
    /// The operating system, in Go's names.
    package var os: String
    /// When the image was made, as written.
    package var created: String?
    /// How containers start; nil when the image declares nothing.
    package var config: Execution?
    /// The layers.
    package var rootfs: RootFileSystem

    /// Reads a configuration blob, OCI or Docker.
    package init(_ bytes: [UInt8]) throws(OCIError) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            throw OCIError(.invalidConfiguration, "The image configuration is not valid: \(DocumentProblem(error)).")
        }
    }

    /// The TCP ports the image exposes, ascending; ranges and other protocols are left out.
    package var exposedTCPPorts: [Int] {
        (config?.exposedPorts ?? []).compactMap { entry in
            let parts = entry.split(separator: "/", maxSplits: 1)
            guard let number = parts.first.flatMap({ UInt16($0) }), parts.count == 1 || parts[1] == "tcp" else {
                return nil
            }
            return Int(number)
        }.sorted()
    }
}

import CommandRunner
import FoundationEssentials
import ServiceHTTP
import ServiceRuntime

/// What the supervisor knows of one server, as `workflow status` reads it.
struct ServiceState: Codable, Equatable, Sendable {
    enum Phase: String, Codable, Sendable {
        case starting, running, restarting, stopping, stopped
    }

    let name: String
    var phase: Phase
    var process: ProcessIdentity?
    var restarts: Int
    var since: Date
    var address: String
    var lastExit: String?

    private enum CodingKeys: String, CodingKey {
        case name, phase, process, restarts, since, address
        case lastExit = "last_exit"
    }
}

/// The supervisor's own page: itself and its servers.
struct PlatformState: Codable, Equatable, Sendable {
    var supervisor: ProcessIdentity
    var isReady: Bool
    var services: [ServiceState]

    private enum CodingKeys: String, CodingKey {
        case supervisor, services
        case isReady = "ready"
    }

    static func read(from state: StateDirectory) throws -> PlatformState? {
        guard let bytes = try StateFile.read(state.status) else { return nil }
        return try JSONCoding.decoder.decode(PlatformState.self, from: Data(bytes))
    }

    func write(to state: StateDirectory) throws {
        try StateFile.write(JSONCoding.encoder.encode(self), to: state.status, mode: 0o644)
    }
}

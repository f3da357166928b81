import CurlTransfer
import Logging
import PodmanClient
import ServiceRuntime

/// Where the container engine is, for the processes that run or read pods.
///
/// | key | meaning, default |
/// | --- | --- |
/// | `PODMAN_SOCKET` | unix socket of podman's service; without it pods cannot be run nor their logs read |
/// | `ENGINE_LOG_DIRECTORY` | folder the pods' output is written below, `/var/lib/workflow/logs/pods` |
/// | `ENGINE_NETWORK_PREFIX` | begins the names of the apps' networks, `workflow` |
struct EngineSettings: Sendable {
    let socket: String?
    let logDirectory: String
    let networkPrefix: String

    init(reader: inout ConfigurationReader) {
        socket = reader.optionalString("PODMAN_SOCKET")
        logDirectory = reader.string("ENGINE_LOG_DIRECTORY", default: "/var/lib/workflow/logs/pods")
        networkPrefix = reader.string("ENGINE_NETWORK_PREFIX", default: "workflow")
    }

    /// The engine; nil when no socket is set.
    func makeEngine(http: HTTPClient, logger: Logger) -> PodmanEngine? {
        guard let socket else { return nil }
        return PodmanEngine(
            podman: PodmanClient(socket: socket, http: http), http: http,
            configuration: .init(networkPrefix: networkPrefix, logDirectory: logDirectory), logger: logger)
    }
}

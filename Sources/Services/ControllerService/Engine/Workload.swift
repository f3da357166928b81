import FoundationEssentials
import PlatformModel

/// One process type of a release, with everything an engine needs to run its processes.
struct Workload: Sendable, Equatable {
    let app: AppName
    let appID: UUID
    let processType: ProcessType
    let release: ReleaseNumber
    /// Ten hexadecimal digits that stand for the release in the names of its pods.
    let releaseTag: String
    /// The image by digest, or by tag when it is not from our registry.
    let image: String
    /// Replaces the image's entry point when not empty.
    let command: [String]
    /// Replaces the image's default arguments when not empty.
    let arguments: [String]
    /// The environment, `PORT` included. Values are secret.
    let environment: SecretEnvironment
    /// The TCP port that takes requests; nil for a process that takes none.
    let port: Int?
    let limits: Limits
    let probes: Probes
    /// From the request to stop until a process is killed.
    let gracePeriod: Duration
    /// How long its processes may take until they are ready, when the app says so itself.
    var startLimit: Duration?
    /// A one-off process is killed when it has run this long; nil runs until it is asked to stop.
    var lifetime: Duration?

    /// What one process may use.
    struct Limits: Sendable, Equatable {
        /// In thousandths of a processor.
        let milliCPU: Int
        let memoryBytes: Int
        let processes: Int
    }
}

/// Environment variables that do not print their values.
struct SecretEnvironment: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    private let values: [String: String]

    init(_ values: [String: String]) { self.values = values }

    func reveal() -> [String: String] { values }

    var description: String { "\(values.count) variables" }
    var customMirror: Mirror { Mirror(self, children: ["count": values.count]) }
}

/// The questions asked of a process over its life.
struct Probes: Sendable, Equatable, Codable {
    /// Must pass once before anything else is asked.
    var startup: Probe?
    /// Must pass before a process takes traffic; nil asks only that it keeps running, or listens on its port.
    var readiness: Probe?
    /// Asked as long as the process runs; a process that fails it is started again.
    var liveness: Probe?

    /// How much longer than the platform's limit a process with these probes may take until it is ready.
    var allowance: Duration {
        let probes = [readiness, liveness].compactMap { $0?.allowance }
        return (probes.max() ?? .zero) + (startup?.allowance ?? .zero)
    }
}

/// A question that tells whether a process works.
struct Probe: Sendable, Equatable, Codable {
    enum Action: Sendable, Equatable, Codable {
        /// An answer from 200 to 399 is good.
        case http(path: String, port: Int, headers: [String: String])
        /// Accepting a connection is good.
        case tcp(port: Int)
        /// Exit status 0 is good.
        case exec(command: [String])
    }

    let action: Action
    let initialDelay: Duration
    let period: Duration
    let timeout: Duration
    let successThreshold: Int
    let failureThreshold: Int

    /// How long the probe may take until it must have passed.
    var allowance: Duration {
        (period <= initialDelay ? initialDelay : .zero) + (period + timeout) * (failureThreshold + successThreshold)
    }
}

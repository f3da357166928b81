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
    /// What must hold before a process takes traffic; nil asks only that it keeps running, or listens on ``port``.
    let readiness: Probe?
    /// From the request to stop until a process is killed.
    let gracePeriod: Duration

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

/// A question that tells whether a process works.
struct Probe: Sendable, Equatable {
    enum Action: Sendable, Equatable {
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
}

/// The name of one running instance: `<app>-<type>-<release tag>-<5 letters or digits>`.
struct PodName: Hashable, Sendable, Comparable, CustomStringConvertible {
    let text: String

    init(_ text: String) { self.text = text }

    /// A fresh name for a process of `workload`.
    init(for workload: Workload) {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        var suffix = ""
        for _ in 0..<5 { suffix.append(letters[Int.random(in: 0..<letters.count)]) }
        text = "\(workload.app)-\(workload.processType)-\(workload.releaseTag)-\(suffix)"
    }

    var description: String { text }

    static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

import CommandRunner
import Glibc

/// One server of the platform: how it is started, when it is ready and how it is stopped.
struct ProcessPlan: Sendable {
    /// How readiness is found out.
    enum Readiness: Sendable {
        /// `GET` answers 200.
        case http(String)
        /// A broker answers the AMQP protocol header on this loopback port.
        case amqp(Int)
        /// Something accepts connections on this loopback port.
        case tcp(Int)
        /// The program exits with 0.
        case command(Command)
        /// A unix socket answers `GET` on this path with 200.
        case unixSocket(String, path: String)
    }

    let name: String
    let command: Command
    let readiness: Readiness
    /// Names of steps that must be done before this one starts.
    var after: [String] = []
    /// What the table of addresses shows; empty for servers nobody addresses.
    var address = ""
    /// The longest time from start to ready.
    var startLimit: Duration = .seconds(60)
    /// The signal that means a graceful end to this program.
    var stopSignal: Int32 = SIGTERM
    /// How long it may take to end gracefully.
    var patience: Duration = .seconds(30)
    /// Servers of the highest tier are stopped first, those everybody needs last.
    var tier = Tier.service
    /// Whether helpers it started may outlive it: the container engine's keep apps running.
    var leavesHelpers = false

    /// What is to be done each time the server has become ready; its text is logged, a failure does not end the server.
    var afterStart: (@Sendable () async throws -> String?)?

    /// How much the rest of the platform depends on a server.
    enum Tier: Int, Codable, Comparable, CaseIterable, Sendable {
        case foundation, infrastructure, service, entrance

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }
}

import FoundationEssentials
import PlatformModel

/// One instance as the engine shows it now.
struct PodStatus: Sendable, Equatable {
    enum Phase: Sendable, Equatable {
        /// Made, not started.
        case created
        case running(since: Date)
        case stopping
        case exited(code: Int, at: Date)
        /// Ended too often in a row; the engine starts it again after a pause.
        case backingOff(code: Int, at: Date)
    }

    let name: PodName
    let app: AppName
    let appID: UUID
    let processType: ProcessType
    let release: ReleaseNumber
    let image: String
    let command: [String]
    let arguments: [String]
    let phase: Phase
    /// Whether it has passed its readiness probe once; from then on the engine keeps it running.
    let wasReady: Bool
    /// Whether it works as far as its probes tell; a process without port or probe does while it runs.
    let isReady: Bool
    /// How often the engine has started it again.
    let restarts: Int
    /// How it ended the last time, when it was started again since.
    let lastExit: LastExit?
    /// Where it can be reached from the router; nil while it has no address or takes no requests.
    let endpoint: PodEndpoint?
    /// The fencing number of the worker that made it.
    let fence: Int
    let created: Date

    struct LastExit: Sendable, Equatable {
        let code: Int
        let started: Date?
        let finished: Date?
        /// Why it was stopped, when a probe was the reason.
        var reason: String?
    }

    var isRunning: Bool {
        if case .running = phase { return true }
        return false
    }

    /// Whether the engine takes care of it: it runs, or will be started again without anyone asking.
    var isKept: Bool {
        if case .backingOff = phase { return true }
        return isRunning
    }
}

/// An address and port of one instance.
struct PodEndpoint: Hashable, Sendable {
    let address: String
    let port: Int
}

import Glibc
import ServiceRuntime

/// Where one installation keeps everything it owns.
struct StateDirectory: Hashable, Sendable {
    let root: String

    var settings: String { "\(root)/settings.json" }
    var secretValues: String { "\(root)/secrets/values.json" }
    var keys: String { "\(root)/keys" }
    var run: String { "\(root)/run" }
    var lock: String { "\(root)/run/supervisor.lock" }
    var supervisorRecord: String { "\(root)/run/supervisor.json" }
    var status: String { "\(root)/run/status.json" }
    var platformLogs: String { "\(root)/logs/platform" }
    var podLogs: String { "\(root)/logs/pods" }
    var postgres: String { "\(root)/postgres" }
    var rabbitmq: String { "\(root)/rabbitmq" }
    var registry: String { "\(root)/registry" }
    var storage: String { "\(root)/storage" }
    var repositories: String { "\(root)/git" }
    var nginx: String { "\(root)/nginx" }
    var containers: String { "\(root)/containers" }
    var logSpool: String { "\(root)/logger" }
    var shipper: String { "\(root)/shipper" }
    var sshKeys: String { "\(root)/keys/ssh" }
    var demo: String { "\(root)/demo" }

    /// Where a service finds its secrets, one file a key.
    func secrets(of service: String) -> String { "\(root)/secrets/\(service)" }
    func log(of service: String) -> String { "\(platformLogs)/\(service).log" }
    func processRecord(of service: String) -> String { "\(run)/\(service).json" }

    /// The directory used unless another is named: the system's for root, the user's own otherwise.
    static func standard(environment: [String: String], userID: uid_t) -> StateDirectory {
        if let named = environment["WORKFLOW_STATE_DIR"], !named.isEmpty { return StateDirectory(root: named) }
        if userID == 0 { return StateDirectory(root: "/var/lib/workflow") }
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            return StateDirectory(root: "\(state)/workflow")
        }
        return StateDirectory(root: "\(environment["HOME"] ?? "/tmp")/.local/state/workflow")
    }

    /// Makes the folders. Only secrets, keys and sockets are closed to others: the servers run as users of their own.
    func prepare() throws(StateFile.Failure) {
        try StateFile.makeDirectory(root, mode: 0o755)
        for path in [platformLogs, podLogs, registry, storage, repositories, containers, logSpool, shipper] {
            try StateFile.makeDirectory(path, mode: 0o755)
        }
        for path in ["\(root)/secrets", keys, sshKeys, demo] {
            try StateFile.makeDirectory(path, mode: 0o700)
        }
        try StateFile.makeDirectory(run, mode: 0o711)
    }

    /// Whether this is a directory an installation was made in.
    var isInstalled: Bool { access(settings, F_OK) == 0 }
}

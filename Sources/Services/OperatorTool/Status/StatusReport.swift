import CommandRunner
import FoundationEssentials
import ServiceRuntime

/// Everything `workflow status` shows.
struct StatusReport: Codable, Sendable {
    struct Server: Codable, Sendable {
        let name: String
        let phase: String
        let pid: Int32?
        let restarts: Int
        let seconds: Int
        let address: String
        let lastExit: String?

        private enum CodingKeys: String, CodingKey {
            case name, phase, pid, restarts, seconds, address
            case lastExit = "last_exit"
        }
    }

    let isRunning: Bool
    let isReady: Bool
    let servers: [Server]
    let queues: [QueueStatus]
    /// Why the queues could not be read, if so.
    let queueProblem: String?
    /// Queues that take and give nothing; looked for when something about the queues is strange.
    let leaderless: [String]
    let disk: DiskStatus

    private enum CodingKeys: String, CodingKey {
        case servers, queues, leaderless, disk
        case isRunning = "running"
        case isReady = "ready"
        case queueProblem = "queue_problem"
    }

    /// Whether everything runs and no task was given up.
    var isHealthy: Bool {
        isRunning && isReady && queueProblem == nil && servers.allSatisfy { $0.phase == "running" }
            && queues.allSatisfy { $0.deadLetters == 0 } && leaderless.isEmpty
    }

    static func gather(state: StateDirectory, settings: Settings) async throws -> StatusReport {
        let supervisor = try Running.supervisor(of: state)
        let platform = supervisor == nil ? nil : try PlatformState.read(from: state)
        let servers = (platform?.services ?? []).map { service in
            Server(
                name: service.name,
                phase: service.phase == .running && service.process?.isAlive != true ? "dead" : service.phase.rawValue,
                pid: service.process?.pid, restarts: service.restarts,
                seconds: Int(Date.now.timeIntervalSince(service.since)),
                address: service.address, lastExit: service.lastExit)
        }
        var queues: [QueueStatus] = []
        var leaderless: [String] = []
        var problem: String?
        if supervisor != nil {
            do {
                queues = try await QueueStatus.all(state: state, settings: settings)
                // Nobody can consume a queue without a leader, and asking the broker takes it a second.
                if queues.contains(where: { $0.consumers == 0 }) {
                    let leaders = try BrokerNode(state: state, ports: settings.ports).leaders()
                    leaderless = try await leaders.run(leaders.look).leaderless
                }
            } catch {
                problem = "\(error)"
            }
        }
        return StatusReport(
            isRunning: supervisor != nil, isReady: platform?.isReady ?? false, servers: servers, queues: queues,
            queueProblem: problem, leaderless: leaderless, disk: try await DiskStatus.of(state.root))
    }

    var text: String {
        guard isRunning else { return "Workflow is not running. Start it with: workflow up\n\n\(disk.text)" }
        let table = TextTable(
            ["SERVER", "STATE", "PID", "RESTARTS", "SINCE", "ADDRESS"],
            rows: servers.map { server in
                [
                    server.name, server.phase, server.pid.map { "\($0)" } ?? "-", "\(server.restarts)",
                    Self.age(server.seconds), server.address,
                ]
            })
        let queueTable = TextTable(
            ["QUEUE", "READY", "CONSUMERS", "DELAYED", "DEAD LETTERS"],
            rows: queues.map { ["\($0.name)", "\($0.ready)", "\($0.consumers)", "\($0.delayed)", "\($0.deadLetters)"] })
        let waiting = queueProblem.map { "Queues cannot be read: \($0)" } ?? queueTable.text
        var hint = queues.contains { $0.deadLetters > 0 } ? "\nlook at them with: workflow dead-letters list" : ""
        if !leaderless.isEmpty {
            hint += "\nwithout a leader, give them one with workflow doctor: \(leaderless.joined(separator: ", "))"
        }
        return [table.text, waiting + hint, disk.text].joined(separator: "\n\n")
    }

    private static func age(_ seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds)s"
        case ..<7200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}

/// Room on the file system an installation lives on.
struct DiskStatus: Codable, Sendable {
    let path: String
    let totalBytes: Int64
    let freeBytes: Int64
    let freeInodes: Int64

    private enum CodingKeys: String, CodingKey {
        case path
        case totalBytes = "total_bytes"
        case freeBytes = "free_bytes"
        case freeInodes = "free_inodes"
    }

    static func of(_ path: String) async throws -> DiskStatus {
        let result = try await CommandRunner.check(
            Command("df", ["--block-size=1", "--output=size,avail,iavail", "--", path]))
        let numbers = result.text.split(separator: "\n").last?.split(separator: " ").map { Int64($0) ?? 0 } ?? []
        guard numbers.count == 3 else { throw OperatorError("df says nothing about \(path)") }
        return DiskStatus(path: path, totalBytes: numbers[0], freeBytes: numbers[1], freeInodes: numbers[2])
    }

    var text: String { "Disk: \(Self.size(freeBytes)) of \(Self.size(totalBytes)) free in \(path)" }

    static func size(_ bytes: Int64) -> String {
        let tenths = bytes * 10 / (1 << 30)
        return "\(tenths / 10).\(tenths % 10) GiB"
    }
}

import CommandRunner
import FoundationEssentials
import Glibc
import Logging
import ServiceRuntime

/// Servers that a killed supervisor left running.
struct Orphans: Sendable {
    let state: StateDirectory
    let logger: Logger

    /// Every process of this installation that is still alive, by the records in the run directory.
    func find() throws -> [ProcessRecord] {
        guard access(state.run, F_OK) == 0 else { return [] }
        let files = try FileManager.default.contentsOfDirectory(atPath: state.run).filter { $0.hasSuffix(".json") }
        return try files.filter { $0 != "status.json" && $0 != "supervisor.json" }
            .compactMap { try ProcessRecord.read("\(state.run)/\($0)") }
            .filter { $0.isAlive || !helpers(of: $0).isEmpty }
    }

    /// Stops them all, those nobody depends on first.
    /// - Returns: the names of the servers that were stopped.
    func stopAll() async throws -> [String] {
        let found = try find()
        for tier in ProcessPlan.Tier.allCases.reversed() {
            let records = found.filter { $0.tier == tier }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for record in records { group.addTask { try await stop(record) } }
                try await group.waitForAll()
            }
        }
        return found.map(\.name)
    }

    private func stop(_ record: ProcessRecord) async throws {
        logger.notice("Stopping an orphan", metadata: ["server": "\(record.name)", "pid": "\(record.process.pid)"])
        if record.isAlive { try await record.process.stop(patience: .seconds(15), signal: record.stopSignal) }
        for helper in helpers(of: record) { try await helper.stop(patience: .seconds(5)) }
        try StateFile.remove(state.processRecord(of: record.name))
    }

    /// What a server started in its session. A session number in use by another leader is not ours.
    private func helpers(of record: ProcessRecord) -> [ProcessIdentity] {
        if record.leavesHelpers { return [] }
        if let leader = ProcessIdentity(pid: record.process.pid), leader != record.process { return [] }
        return ProcessIdentity.members(ofSession: record.process.pid).filter { $0 != record.process }
    }
}

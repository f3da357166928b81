import CommandRunner
import FoundationEssentials
import ServiceHTTP
import ServiceRuntime

/// What is remembered of a server's process, so that a later run can tell its own orphans from strangers.
struct ProcessRecord: Codable, Equatable, Sendable {
    let name: String
    let process: ProcessIdentity
    /// The program it was started as; the process must still carry it on its command line.
    let program: String
    let stopSignal: Int32
    let tier: ProcessPlan.Tier
    let leavesHelpers: Bool

    private enum CodingKeys: String, CodingKey {
        case name, process, program, tier
        case stopSignal = "stop_signal"
        case leavesHelpers = "leaves_helpers"
    }

    init(plan: ProcessPlan, process: ProcessIdentity) {
        name = plan.name
        self.process = process
        program = plan.command.executable
        stopSignal = plan.stopSignal
        tier = plan.tier
        leavesHelpers = plan.leavesHelpers
    }

    static func read(_ path: String) throws -> ProcessRecord? {
        guard let bytes = try StateFile.read(path) else { return nil }
        return try JSONCoding.decoder.decode(ProcessRecord.self, from: Data(bytes))
    }

    func write(_ path: String) throws {
        try StateFile.write(JSONCoding.encoder.encode(self), to: path, mode: 0o644)
    }

    /// Whether the very process is alive and still what it was: it carries the program's name or our mark.
    var isAlive: Bool {
        let line = process.arguments.joined(separator: " ")
        let base = program.split(separator: "/").last.map(String.init) ?? program
        return process.isAlive
            && (line.contains(base) || process.environment.contains { $0.hasPrefix("\(Leftovers.mark)=") })
    }
}

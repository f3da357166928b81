import CommandRunner
import FoundationEssentials
import ServiceHTTP
import ServiceRuntime

/// Finds the supervisor of an installation.
enum Running {
    /// The supervisor that owns the directory now, also while it starts or stops.
    ///
    /// It says so itself as soon as it has the lock. Nobody else takes the lock to look: a supervisor that starts at
    /// that moment would be refused.
    static func supervisor(of state: StateDirectory) throws -> ProcessIdentity? {
        guard let bytes = try StateFile.read(state.supervisorRecord) else { return nil }
        let process = try JSONCoding.decoder.decode(ProcessIdentity.self, from: Data(bytes))
        // The start time is counted from the machine's boot; after the next one a stranger may have the same.
        return process.arguments.contains("supervise") || process.arguments.contains("up") ? process : nil
    }

    /// Says that this process is the supervisor.
    static func declare(in state: StateDirectory) throws {
        try StateFile.write(JSONCoding.encoder.encode(ProcessIdentity.current), to: state.supervisorRecord, mode: 0o644)
    }
}

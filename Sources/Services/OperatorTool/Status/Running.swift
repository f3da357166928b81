import CommandRunner
import Glibc
import ServiceRuntime

/// Finds the supervisor of an installation.
enum Running {
    /// The supervisor that owns the directory now. The lock says whether there is one, the status file who it is.
    static func supervisor(of state: StateDirectory) throws -> ProcessIdentity? {
        guard access(state.lock, F_OK) == 0 else { return nil }
        do throws(ProcessLock.Refusal) {
            _ = try ProcessLock(path: state.lock)
            return nil
        } catch {
            if case .unusable = error { throw error }
        }
        guard let platform = try PlatformState.read(from: state), platform.supervisor.isAlive else {
            throw OperatorError(
                "another start of \(state.root) has just begun", next: "workflow status in a moment")
        }
        return platform.supervisor
    }
}

import CSystemCalls
import FoundationEssentials
import Glibc
import ServiceRuntime

/// What the checks of the host look at: this machine, or a folder that stands in for one.
struct Machine: Sendable {
    /// In front of every path; empty for the real machine.
    var prefix = ""
    var isRoot = geteuid() == 0
    var hasUser: @Sendable (String) -> Bool = { SystemUser(named: $0) != nil }
    var openFiles = Self.openFileLimits()
    var now = Date.now
    var isClockSynchronised = syscalls_clock_is_synchronised() == 1
    var disk: @Sendable (String) async throws -> DiskStatus = { try await DiskStatus.of($0) }

    func path(_ path: String) -> String { prefix + path }

    func hasProgram(_ path: String) -> Bool { access(self.path(path), X_OK) == 0 }

    func hasFile(_ path: String) -> Bool { access(self.path(path), R_OK) == 0 }

    /// A file's text; empty when there is no such file.
    func text(_ path: String) throws -> String { try StateFile.readText(self.path(path)) ?? "" }

    /// The folder of the newest PostgreSQL's programs.
    var postgresPrograms: String? { PostgresCluster.newestPrograms(root: path("/usr/lib/postgresql")) }

    private static func openFileLimits() -> (soft: UInt64, hard: UInt64) {
        var files = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &files)
        return (UInt64(files.rlim_cur), UInt64(files.rlim_max))
    }
}

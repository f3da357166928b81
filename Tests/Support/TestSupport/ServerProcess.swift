import Foundation
import Glibc

/// One of the package's executables, running as a process of its own until it is killed or this goes away.
package final class ServerProcess: Sendable {
    /// The executable is not there.
    package struct NoExecutable: Error, CustomStringConvertible {
        package let path: String
        package var description: String { "\(path) is not built" }
    }

    private let process = Process()

    package var pid: Int32 { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }

    /// Starts an executable whose standard error goes to the file `log`.
    package init(_ name: String, environment: [String: String], log: String) throws {
        let executable = URL(filePath: try Self.path(of: name))
        guard FileManager.default.isExecutableFile(atPath: executable.path) else {
            throw NoExecutable(path: executable.path)
        }
        try Data().write(to: URL(filePath: log))
        process.executableURL = executable
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: URL(filePath: log))
        try process.run()
    }

    deinit { kill() }

    /// Ends the process without a chance to tidy up, and waits until it is gone.
    package func kill() {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Asks the process to stop and returns its exit code.
    package func stop() -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Where one of the package's executables is.
    package static func path(of name: String) throws -> String { try binaries() + "/" + name }

    /// The folder of the executables: named by the environment, or that of the running tests.
    private static func binaries() throws -> String {
        if let path = ProcessInfo.processInfo.environment["WORKFLOW_TEST_BIN"] { return path }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: own).deletingLastPathComponent().path
    }
}

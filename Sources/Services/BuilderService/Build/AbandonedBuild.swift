import CommandRunner
import FoundationEssentials
import Glibc
import Logging

/// What an imagebuilder that was killed leaves running: its buildah, and the build step in a container of its own,
/// which outlives both because it is nobody's child any more.
struct AbandonedBuild: Sendable {
    let workFolder: String
    /// The imagebuilder's, which decides where a container runtime keeps its state.
    let environment: [String: String]
    let logger: Logger

    /// Ends what still runs; the working container and its mount go when the next build begins.
    func end() async throws {
        for process in WorkFolderProcesses.running(in: workFolder) {
            logger.notice("Ending a process of an abandoned build", metadata: ["pid": "\(process.pid)"])
            process.send(signal: SIGKILL)
            _ = try await process.waitForExit(within: .seconds(5))
        }
        for runtime in Self.runtimes {
            for step in steps(of: runtime) { try await end(step, by: runtime) }
        }
    }

    /// The container runtimes buildah may use, with the file each keeps a container's bundle folder in.
    private static let runtimes = [
        Runtime(program: "runc", folder: "/run/runc", file: "state.json"),
        Runtime(program: "crun", folder: "/run/crun", file: "status"),
    ]

    private struct Runtime {
        let program: String
        let folder: String
        let file: String
    }

    /// buildah runs each step from a bundle folder in its temporary folder, which is the work folder here.
    private func steps(of runtime: Runtime) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: runtime.folder).filter { name in
                name.hasPrefix("buildah-") && isOurs("\(runtime.folder)/\(name)/\(runtime.file)")
            }
        } catch {
            // A runtime that is not used here keeps no state.
            return []
        }
    }

    private func isOurs(_ file: String) -> Bool {
        do {
            return String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self).contains(workFolder + "/")
        } catch {
            // The step of another build has ended meanwhile.
            return false
        }
    }

    private func end(_ step: String, by runtime: Runtime) async throws {
        let command = Command(
            runtime.program, ["delete", "--force", step], environment: environment, deadline: .seconds(20))
        let result = try await CommandRunner.run(command)
        logger.notice("Ended an abandoned build step", metadata: ["step": "\(step)", "exit": "\(result.exit)"])
    }
}

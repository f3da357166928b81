import CommandRunner
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
        // buildah runs each step from a bundle in its temporary folder, which is the work folder here.
        for runtime in OCIRuntime.all {
            for step in runtime.containers(below: workFolder) {
                let result = try await runtime.delete(step, force: true, environment: environment)
                logger.notice(
                    "Ended an abandoned build step", metadata: ["step": "\(step.id)", "exit": "\(result.exit)"])
            }
        }
    }
}

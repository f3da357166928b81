import CommandRunner
import Glibc
import Logging

/// Keeps the container storage free of what killed builds left behind.
///
/// Every build holds a shared lock on one file. A build that gets the lock alone knows that no other is running, so
/// that
/// every working container there is belongs to a build that died.
final class BuildLeftovers: Sendable {
    private let descriptor: Int32

    /// - Throws: ``UnusableJob`` when the lock file cannot be made.
    init(directory: String) throws(UnusableJob) {
        descriptor = open(directory + "/builds.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw UnusableJob(detail: "cannot write to \(directory): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Removes leftovers if no other build is running, then holds the shared lock until the object goes away.
    func begin(_ buildah: Buildah, logger: Logger) async throws {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
            let result = try await CommandRunner.run(buildah.command(["rm", "--all"]))
            if !result.exit.isSuccess {
                logger.warning("Leftover containers stay", metadata: ["error": "\(result.errorText)"])
            }
        }
        // Going from the exclusive to the shared lock never waits; otherwise only another build's clean-up is ahead.
        flock(descriptor, LOCK_SH)
    }
}

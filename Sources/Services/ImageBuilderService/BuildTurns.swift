import CommandRunner
import ConcurrencyPrimitives
import Glibc
import Logging

/// Who may use the container storage now: any number of builds, or one that changes what builds rely on.
///
/// Two lock files in the storage's folder. `builds.lock` is shared by builds while they run; whoever gets it alone
/// knows that no build runs, so that every working container belongs to a build that died, and no layer is in use.
/// `builds.gate` is passed by each build on its way in; who holds it alone sees the running builds end.
final class BuildTurns: Sendable {
    private let builds: Int32
    private let gate: Int32

    /// - Throws: ``UnusableJob`` when a lock file cannot be made.
    init(directory: String) throws(UnusableJob) {
        builds = try Self.open(directory + "/builds.lock")
        gate = try Self.open(directory + "/builds.gate")
    }

    deinit {
        for descriptor in [builds, gate] {
            // Closing alone would leave the lock to a child that is just being started and still has the descriptor.
            flock(descriptor, LOCK_UN)
            close(descriptor)
        }
    }

    private static func open(_ path: String) throws(UnusableJob) -> Int32 {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw UnusableJob(detail: "cannot write to \(path): \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    /// Begins a build: removes leftovers if no other runs, then holds the shared lock until the object goes away.
    func begin(_ buildah: Buildah, logger: Logger) async throws {
        try await wait(for: gate, LOCK_SH)
        if flock(builds, LOCK_EX | LOCK_NB) == 0 { try await removeLeftovers(buildah, logger) }
        // From the exclusive lock this is at once; otherwise a clean-up or a prune is ahead.
        try await wait(for: builds, LOCK_SH)
        flock(gate, LOCK_UN)
    }

    private func removeLeftovers(_ buildah: Buildah, _ logger: Logger) async throws {
        let result = try await CommandRunner.run(buildah.command(["rm", "--all"]))
        if !result.exit.isSuccess {
            logger.warning("Leftover containers stay", metadata: ["error": "\(result.errorText)"])
        }
    }

    /// Whether no build runs now; none begins until the object goes away.
    func takeAlone() -> Bool { flock(builds, LOCK_EX | LOCK_NB) == 0 }

    /// Keeps further builds out until those that run have ended.
    ///
    /// - Returns: false when they have not ended in time; builds then begin again.
    func takeAlone(within patience: Duration) async throws -> Bool {
        do {
            try await withDeadline(patience) {
                try await self.wait(for: self.gate, LOCK_EX)
                try await self.wait(for: self.builds, LOCK_EX)
            }
            return true
        } catch is DeadlineExceeded {
            flock(gate, LOCK_UN)
            return false
        }
    }

    /// A file lock tells nobody when it is free, and a blocked thread could not be cancelled: it is asked for again.
    private func wait(for descriptor: Int32, _ kind: Int32) async throws {
        for pause in Backoff(initial: .milliseconds(10), limit: .milliseconds(500)) {
            if flock(descriptor, kind | LOCK_NB) == 0 { return }
            try await Task.sleep(for: pause)
        }
    }
}

import CommandRunner
import FoundationEssentials
import Glibc
import Logging

/// Frees kept repositories of what processes left that were killed: half-received packs, and locks that would stop
/// every
/// later push.
///
/// Only at start, when no git command of this builder can be at work yet; what an earlier builder started is ended
/// first.
struct RepositoryRecovery: Sendable {
    /// The folder of the repositories.
    let folder: String
    let logger: Logger

    func run() async throws {
        for orphan in WorkFolderProcesses.running(in: folder) {
            logger.notice("Ending a git command of an earlier builder", metadata: ["pid": "\(orphan.pid)"])
            orphan.send(signal: SIGKILL)
            _ = try await orphan.waitForExit(within: .seconds(5))
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".git") {
            let repository = "\(folder)/\(name)"
            for path in try leftovers(in: repository) {
                logger.notice("Removing what a killed git command left", metadata: ["path": "\(path)"])
                try FileManager.default.removeItem(atPath: "\(repository)/\(path)")
            }
        }
    }

    private func leftovers(in repository: String) throws -> [String] {
        let files = FileManager.default
        var found: [String] = []
        for name in try files.contentsOfDirectory(atPath: repository) where Self.isLock(name) { found.append(name) }
        for name in try files.contentsOfDirectory(atPath: repository + "/objects") where name.hasPrefix("tmp_") {
            found.append("objects/" + name)
        }
        for name in try files.contentsOfDirectory(atPath: repository + "/objects/pack")
        where name.hasPrefix("tmp_") || name.hasPrefix(".tmp-") || Self.isLock(name) {
            found.append("objects/pack/" + name)
        }
        // No branch's name ends like this: git does not allow it.
        for path in try files.subpathsOfDirectory(atPath: repository + "/refs") where Self.isLock(path) {
            found.append("refs/" + path)
        }
        return found
    }

    private static func isLock(_ name: String) -> Bool { name.hasSuffix(".lock") || name == "gc.pid" }
}

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
        let drafts = try names(in: repository + "/objects").filter { $0.hasPrefix("tmp_") }
        let packs = try names(in: repository + "/objects/pack").filter { name in
            name.hasPrefix("tmp_") || name.hasPrefix(".tmp-") || Self.isLock(name)
        }
        // No branch's name ends like a lock's: git does not allow it.
        let folder = repository + "/refs"
        let refs =
            FileManager.default.fileExists(atPath: folder)
            ? try FileManager.default.subpathsOfDirectory(atPath: folder) : []
        return try names(in: repository).filter(Self.isLock) + drafts.map { "objects/" + $0 }
            + packs.map { "objects/pack/" + $0 } + refs.filter(Self.isLock).map { "refs/" + $0 }
    }

    /// Nothing for a folder that is not there: a repository may be lost, in part as well.
    private func names(in folder: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder)
    }

    private static func isLock(_ name: String) -> Bool { name.hasSuffix(".lock") || name == "gc.pid" }
}

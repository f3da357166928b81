import CommandRunner
import ConcurrencyPrimitives
import FoundationEssentials
import Glibc
import PlatformModel

/// The kept repositories, one an app, made at the first push; safe to lose.
struct RepositoryStore: Sendable {
    let root: String
    /// Changes of one app's refs come one after another.
    private let changes = KeyedQueue<AppName>()

    init(root: String) { self.root = root }

    var repositories: String { root + "/repositories" }
    private var drafts: String { root + "/drafts" }
    var hooks: String { root + "/hooks" }
    var spool: String { root + "/spool" }
    var hookSocket: String { root + "/hook.sock" }
    var hostKeys: String { root + "/host-keys" }

    /// Makes the folders and removes what an earlier process left half done.
    ///
    /// - Parameter hookProgram: the builder's executable, which git starts under the hook's name.
    func prepare(hookProgram: String) throws {
        for folder in [drafts, spool] where FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.removeItem(atPath: folder)
        }
        for folder in [root, repositories, drafts, hooks, spool] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        // A link and no script: what was just written cannot be run while a child that is being started has it open.
        let hook = "\(hooks)/\(HookCommand.name)"
        if try FileManager.default.contentsOfDirectory(atPath: hooks).contains(HookCommand.name) {
            try FileManager.default.removeItem(atPath: hook)
        }
        try FileManager.default.createSymbolicLink(atPath: hook, withDestinationPath: hookProgram)
    }

    func existing(_ app: AppName) -> GitRepository? {
        let repository = GitRepository(app: app, path: "\(repositories)/\(app.text).git")
        return FileManager.default.fileExists(atPath: repository.path + "/HEAD") ? repository : nil
    }

    /// The app's repository, made under another name and moved into place whole.
    func repository(for app: AppName) async throws -> GitRepository {
        if let repository = existing(app) { return repository }
        return try await changing(app) {
            if let repository = existing(app) { return repository }
            let draft = "\(drafts)/\(UUID().uuidString)"
            try await CommandRunner.check(
                Command(
                    "git", ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", draft],
                    environment: GitRepository.environment))
            let repository = GitRepository(app: app, path: "\(repositories)/\(app.text).git")
            try FileManager.default.moveItem(atPath: draft, toPath: repository.path)
            return repository
        }
    }

    /// Every kept repository.
    func all() throws -> [GitRepository] {
        try FileManager.default.contentsOfDirectory(atPath: repositories).compactMap { name in
            guard name.hasSuffix(".git") else { return nil }
            do { return existing(try AppName(String(name.dropLast(4)))) } catch { return nil }
        }
    }

    /// Runs `body` while nothing else changes the app's refs.
    func changing<Value: Sendable>(_ app: AppName, _ body: @Sendable () async throws -> Value) async throws -> Value {
        try await changes.withKey(app, body)
    }
}

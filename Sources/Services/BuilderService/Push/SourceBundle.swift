import FoundationEssentials
import ObjectStorage
import OpenSSLCrypto
import PlatformModel
import Synchronization

/// The files of a commit as they lie in object storage.
struct SourceBundle: Sendable, Equatable {
    let key: String
    /// `sha256:` and hex of the stored bytes.
    let digest: String
    let size: Int
}

/// Why a commit is not taken; the text is for the pusher.
struct SourceRefused: Error, Equatable {
    let reason: String
}

/// Looks at a commit and writes its files to object storage.
struct SourceBundler: Sendable {
    let store: any ObjectStore
    let limits: SourceLimits
    let spool: String

    /// Things the pusher should know about `commit`.
    /// - Throws: ``SourceRefused`` when it is too large.
    func inspect(_ commit: String, in repository: GitRepository) async throws -> [String] {
        let entries = try await repository.entries(of: commit)
        guard !entries.isEmpty else { throw SourceRefused(reason: "the commit holds no files") }
        guard entries.count <= limits.files else {
            throw SourceRefused(reason: "the commit holds \(entries.count) files, more than \(limits.files)")
        }
        let size = entries.reduce(0) { $0 + ($1.size ?? 0) }
        guard size <= limits.sourceBytes else {
            throw SourceRefused(
                reason: "the commit's files have \(size >> 20) MiB, more than \(limits.sourceBytes >> 20) MiB")
        }
        var warnings: [String] = []
        if let submodule = entries.first(where: \.isSubmodule) {
            warnings.append(
                "warning: the submodule \(submodule.path) is not part of the build; its folder will be empty.")
        }
        if let pointer = try await largeFilePointer(among: entries, in: repository) {
            warnings.append("warning: \(pointer) is a Git LFS pointer; the build sees the pointer, not the file.")
        }
        return warnings
    }

    /// The path of a Git LFS pointer, looked for among small files when the commit configures LFS.
    private func largeFilePointer(among entries: [TreeEntry], in repository: GitRepository) async throws -> String? {
        guard entries.contains(where: { $0.path == ".gitattributes" || $0.path.hasSuffix("/.gitattributes") }) else {
            return nil
        }
        let small = entries.filter { (100...300).contains($0.size ?? 0) }.prefix(500)
        for entry in small {
            let content = try await repository.contents(of: [entry.object])
            let text = String(decoding: content, as: UTF8.self)
            if text.contains("\nversion https://git-lfs.github.com/spec/") { return entry.path }
            if content.isEmpty { break }
        }
        return nil
    }

    /// Streams the files of `commit` to storage, hashing them on the way.
    ///
    /// The tar is not compressed: on one machine compressing costs more than it saves, and layers are compressed later.
    func bundle(_ commit: String, in repository: GitRepository) async throws -> SourceBundle {
        let file = "\(spool)/\(UUID().uuidString).tar"
        defer { unlinkIfPresent(file) }
        try await repository.archive(commit, to: file)
        let key = "sources/\(repository.app.text)/\(commit)-\(SecureRandom.hex(8)).tar"
        let hashing = HashingBody(file: file)
        let stored = try await store.put(ObjectKey(key), body: hashing.body)
        return SourceBundle(key: key, digest: hashing.digest(), size: stored.size)
    }

    private func unlinkIfPresent(_ file: String) {
        do {
            try FileManager.default.removeItem(atPath: file)
        } catch {
            // It is gone already, or the spool is emptied at the next start.
        }
    }
}

/// The chunks of a file, with the digest of those that have passed.
final class HashingBody: Sendable {
    private let hash = Mutex(SHA256Digest())
    private let file: ObjectBody.AsyncIterator

    init(file path: String) { file = ObjectBody(file: path).makeAsyncIterator() }

    var body: ObjectBody {
        ObjectBody { [self] in
            guard let chunk = try await file.next() else { return nil }
            hash.withLock { $0.update(chunk) }
            return chunk
        }
    }

    func digest() -> String { "sha256:" + hash.withLock { $0.hexDigest() } }
}

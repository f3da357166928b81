import ConcurrencyPrimitives
import FoundationEssentials
import OCIRegistry
import ObjectStorage

extension RepositoryFiles {
    /// What a repository holds. Blocking.
    ///
    /// - Parameter known: manifests read before, whose records need not be read again because they never change.
    func snapshot(
        of name: RepositoryName, known: [ImageDigest: RepositorySnapshot.Document] = [:]
    ) throws -> RepositorySnapshot {
        var snapshot = RepositorySnapshot(name: name)
        // Tags and holds before manifests: one that is written meanwhile points to a manifest that is seen then.
        for tag in try tags(in: name) {
            guard let digest = try resolve(tag, in: name), let status = try files.status(layout.tag(tag, in: name))
            else { continue }
            snapshot.tags[tag] = .init(digest: digest, written: status.modified)
        }
        snapshot.holds = try holds(in: name)
        for digest in try manifests(in: name) {
            guard let status = try files.status(layout.manifest(digest, in: name)),
                let record = try known[digest]?.record ?? manifest(digest, in: name)
            else { continue }
            snapshot.manifests[digest] = .init(record: record, written: status.modified)
        }
        for digest in try digests(below: layout.blobLinks(name)) {
            let path = layout.blobLink(digest, in: name)
            guard let status = try files.status(path) else { continue }
            // An entry that cannot be read makes nothing visible, and is replaced or goes as others do.
            let size = try link(digest, in: name)?.size ?? 0
            snapshot.blobs[digest] = .init(size: size, written: status.modified)
        }
        return snapshot
    }

    /// The digests of all content.
    func contents() throws -> [ImageDigest] {
        try ImageDigest.Algorithm.allCases.flatMap { algorithm in
            let folder = "\(layout.blobs)/\(algorithm.rawValue)"
            return try files.names(in: folder).flatMap { group in
                // A file whose name is no digest was not made by the registry.
                try files.names(in: "\(folder)/\(group)").compactMap {
                    try? ImageDigest(algorithm: algorithm, encoded: $0)
                }
            }
        }
    }

    // MARK: Holds

    func holds(in name: RepositoryName) throws -> [ImageDigest: Set<HoldName>] {
        var holds: [ImageDigest: Set<HoldName>] = [:]
        for folder in try files.names(in: layout.holds(name)) {
            guard let digest = BucketLayout.digest(flat: folder) else { continue }
            let holders = try files.names(in: "\(layout.holds(name))/\(folder)").compactMap { HoldName($0) }
            if !holders.isEmpty { holds[digest] = Set(holders) }
        }
        return holds
    }

    func placement(of holder: HoldName, on digest: ImageDigest, in name: RepositoryName) -> FilePlacement {
        FilePlacement(
            "\(layout.holders(of: digest, in: name))/\(holder)", bytes: [], temporary: layout.temporary())
    }

    /// Refuses to let go what a held manifest is or needs.
    func refuseHeld(_ digest: ImageDigest, in name: RepositoryName) throws {
        guard try !holds(in: name).isEmpty else { return }
        if let holder = try snapshot(of: name).heldContent()[digest] { throw RegistryError.held(digest, by: holder) }
    }

    func removeHold(of holder: HoldName, on digest: ImageDigest, in name: RepositoryName) throws -> Bool {
        let folder = layout.holders(of: digest, in: name)
        // The age of what was held begins anew.
        try files.touch(layout.manifest(digest, in: name))
        let existed = try files.remove("\(folder)/\(holder)")
        try files.removeEmptyDirectory(folder)
        return existed
    }
}

extension FolderStorage {
    func hold(_ digest: ImageDigest, in name: RepositoryName, for holder: HoldName) async throws -> Bool {
        try await repositories.withKey(name) {
            try await threads.run { [metadata, files] in
                guard try metadata.manifest(digest, in: name) != nil else { return false }
                try files.place([metadata.placement(of: holder, on: digest, in: name)])
                return true
            }
        }
    }

    func release(_ digest: ImageDigest, in name: RepositoryName, for holder: HoldName) async throws -> Bool {
        try await repositories.withKey(name) {
            try await threads.run { [metadata] in try metadata.removeHold(of: holder, on: digest, in: name) }
        }
    }

    func holds(in name: RepositoryName) async throws -> [ImageDigest: Set<HoldName>] {
        try await threads.run { [metadata] in try metadata.holds(in: name) }
    }

    func usage(of name: RepositoryName) async throws -> Int {
        try await threads.run { [metadata] in try metadata.snapshot(of: name).bytes }
    }

    func totalUsage() async throws -> Int {
        try await threads.run { [metadata] in
            try metadata.contents().reduce(0) { sum, digest in
                try sum + (metadata.files.status(metadata.layout.blob(digest))?.size ?? 0)
            }
        }
    }

    func keepBlob(_ digest: ImageDigest, in name: RepositoryName) async throws -> Bool {
        try await keep(layout.blobLink(digest, in: name), in: name)
    }

    func keepManifest(_ digest: ImageDigest, in name: RepositoryName) async throws -> Bool {
        try await keep(layout.manifest(digest, in: name), in: name)
    }

    private func keep(_ path: String, in name: RepositoryName) async throws -> Bool {
        // A part of the grace period is enough, because nothing younger is collected.
        let fresh = min(60, grace.seconds / 4)
        // The entry was just looked at, so its status is at hand.
        let isFresh = try threads.runHere {
            try files.status(path).map { -$0.modified.timeIntervalSinceNow < fresh }
        }
        switch isFresh {
        case nil: return false
        case true?: return true
        default:
            // In the repository's turn, so that a collection sees the new age or is through with the entry.
            return try await repositories.withKey(name) {
                try await threads.run { [files] in try files.touch(path) }
            }
        }
    }
}

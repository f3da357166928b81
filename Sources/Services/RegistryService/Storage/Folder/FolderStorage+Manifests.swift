import ConcurrencyPrimitives
import FoundationEssentials
import OCIRegistry
import ObjectStorage

extension FolderStorage {
    /// Reads a manifest; nil when it is unknown or its content is damaged. The bytes are verified.
    func manifest(_ reference: ManifestReference, in name: RepositoryName) async throws -> StoredManifest? {
        if let known = try threads.runHere({ try recallManifest(reference, in: name) }) { return known }
        return try await threads.run { [content, metadata] in
            let resolved: ImageDigest? =
                switch reference {
                case .digest(let digest): digest
                case .tag(let tag): try metadata.resolve(tag, in: name)
                case .impossible: nil
                }
            guard let digest = resolved, let record = try metadata.manifest(digest, in: name),
                let bytes = try content.read(digest, size: record.size)
            else { return nil }
            return StoredManifest(digest: digest, record: record, bytes: bytes)
        }
    }

    /// A manifest of which everything was read and verified before and is as it was; nil when it has to be read.
    private func recallManifest(_ reference: ManifestReference, in name: RepositoryName) throws -> StoredManifest? {
        let resolved: ImageDigest? =
            switch reference {
            case .digest(let digest): digest
            case .tag(let tag): try metadata.recallTarget(of: tag, in: name)
            case .impossible: nil
            }
        guard let digest = resolved, let record = try metadata.recallManifest(digest, in: name),
            let bytes = try content.recall(digest, size: record.size)
        else { return nil }
        return StoredManifest(digest: digest, record: record, bytes: bytes)
    }

    /// Stores a manifest, its referrer entry and its tags, in this order.
    ///
    /// - Throws: `MANIFEST_BLOB_UNKNOWN` when a configuration or layer it needs is not visible in the repository.
    ///   Manifests listed by an index and the subject may be missing.
    func store(_ push: ManifestPush, in name: RepositoryName, requiringBlobs: Bool) async throws {
        let (manifest, digest) = (push.manifest, push.digest)
        let record = push.record()
        try await repositories.withKey(name) {
            try await threads.run { [content, metadata] in
                if requiringBlobs, case .image = manifest.content {
                    try Self.requireBlobs(of: manifest, in: name, content, metadata)
                }
            }
            try await digests.withKey(digest) {
                try await threads.run { [content, metadata, files] in
                    var placements = [try content.placement(of: push.bytes, as: digest)]
                    placements.append(try metadata.placement(of: record, digest, in: name))
                    if let subject = record.subject {
                        placements.append(
                            try metadata.placement(of: push.descriptor(), about: subject, in: name))
                    }
                    for tag in Set(push.tags) {
                        placements.append(try metadata.placement(of: tag, to: digest, in: name))
                    }
                    try files.place(placements.compactMap(\.self))
                }
                journal.note(digest)
            }
        }
    }

    /// Removes a manifest with the tags that point to it; false when it was not there.
    func removeManifest(_ digest: ImageDigest, from name: RepositoryName) async throws -> Bool {
        try await repositories.withKey(name) {
            try await threads.run { [metadata] in
                try metadata.refuseHeld(digest, in: name)
                return try metadata.removeManifest(digest, in: name)
            }
        }
    }

    /// Removes a tag; false when it was not there.
    func removeTag(_ tag: ImageTag, from name: RepositoryName) async throws -> Bool {
        try await repositories.withKey(name) {
            try await threads.run { [metadata] in try metadata.removeTag(tag, in: name) }
        }
    }

    /// All tags in byte order; nil when there is no such repository.
    func tags(in name: RepositoryName) async throws -> [ImageTag]? {
        if let known = try threads.runHere({ try metadata.recallTags(in: name) }), try metadata.exists(name) {
            return known
        }
        return try await threads.run { [metadata] in
            guard try metadata.exists(name) else { return nil }
            return try metadata.tags(in: name)
        }
    }

    /// The manifests about a subject, which need not exist itself.
    func referrers(of subject: ImageDigest, in name: RepositoryName) async throws -> [Descriptor] {
        try await threads.run { [metadata] in try metadata.referrers(of: subject, in: name) }
    }

    /// The names of all repositories in byte order.
    func catalog() async throws -> [RepositoryName] {
        try await threads.run { [metadata] in try metadata.repositories() }
    }

    private static func requireBlobs(
        of manifest: Manifest, in name: RepositoryName, _ content: ContentStore, _ metadata: RepositoryFiles
    ) throws {
        for descriptor in manifest.references where descriptor.mustBePresent {
            guard let link = try metadata.link(descriptor.digest, in: name),
                try content.status(descriptor.digest)?.size == link.size
            else {
                throw RegistryError.missingBlob(descriptor.digest)
            }
            guard link.size == descriptor.size else {
                throw RegistryError.wrongSize(descriptor.digest, size: link.size)
            }
        }
    }
}

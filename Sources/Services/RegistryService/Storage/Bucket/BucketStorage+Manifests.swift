import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// What a tag holds in a bucket.
struct BucketTag: Codable, Hashable, Sendable {
    let digest: ImageDigest
    /// The object of the manifest when the tag was written; another one serves as well.
    let object: String
}

/// A manifest as one object: the record on a line, then the document.
struct BucketManifest: Sendable {
    let record: ManifestRecord
    let bytes: [UInt8]

    func encoded() throws -> [UInt8] { try RecordCoding.encode(record) + [UInt8(ascii: "\n")] + bytes }

    init(record: ManifestRecord, bytes: [UInt8]) {
        self.record = record
        self.bytes = bytes
    }

    /// Reads an object; nil when it is no manifest of this digest.
    init?(_ object: [UInt8], digest: ImageDigest) {
        guard let end = object.firstIndex(of: UInt8(ascii: "\n")),
            let record = RecordCoding.decode(ManifestRecord.self, Array(object[..<end]))
        else { return nil }
        bytes = Array(object[(end + 1)...])
        self.record = record
        guard ImageDigest(of: bytes, algorithm: digest.algorithm) == digest else { return nil }
    }
}

extension BucketStorage {
    func manifest(_ reference: ManifestReference, in name: RepositoryName) async throws -> StoredManifest? {
        switch reference {
        case .digest(let digest):
            return try await manifest(digest, in: name)
        case .tag(let tag):
            guard let target = try await resolve(tag, in: name) else { return nil }
            let key = layout.manifests(target.digest, in: name) + target.object
            if let bytes = try await objects.read(key), let found = BucketManifest(bytes, digest: target.digest) {
                return StoredManifest(digest: target.digest, record: found.record, bytes: found.bytes)
            }
            return try await manifest(target.digest, in: name)
        case .impossible:
            return nil
        }
    }

    func resolve(_ tag: ImageTag, in name: RepositoryName) async throws -> BucketTag? {
        // An unreadable tag counts as missing; pushing it again replaces it.
        try await objects.read(layout.tag(tag, in: name)).flatMap { RecordCoding.decode(BucketTag.self, $0) }
    }

    private func manifest(_ digest: ImageDigest, in name: RepositoryName) async throws -> StoredManifest? {
        let prefix = layout.manifests(digest, in: name)
        for entry in ObjectEntry.read(try await objects.list(prefix)) {
            guard let bytes = try await objects.read(prefix + entry.name) else { continue }
            if let found = BucketManifest(bytes, digest: digest) {
                return StoredManifest(digest: digest, record: found.record, bytes: found.bytes)
            }
        }
        return nil
    }

    func store(_ push: ManifestPush, in name: RepositoryName, requiringBlobs: Bool) async throws {
        if requiringBlobs, case .image = push.manifest.content { try await requireBlobs(of: push.manifest, in: name) }
        try await register(name)
        let prefix = layout.manifests(push.digest, in: name)
        let record = push.record()
        // An entry that is older than this might be condemned in a moment; a new one begins a new life.
        let young = grace.seconds / 4
        let known = ObjectEntry.read(try await objects.list(prefix)).first {
            $0.condemned == nil && -$0.listed.timeIntervalSinceNow < young
        }
        let object = known?.object ?? Self.newObject()
        if known == nil {
            try await objects.write(prefix + object, try BucketManifest(record: record, bytes: push.bytes).encoded())
        }
        if let subject = record.subject {
            try await objects.write(
                layout.referrer(push.digest, of: subject, in: name), try RecordCoding.encode(push.descriptor()))
        }
        let target = try RecordCoding.encode(BucketTag(digest: push.digest, object: object))
        for tag in Set(push.tags) {
            try await objects.mark(layout.tagged(push.digest, in: name) + "\(tag)")
            try await objects.write(layout.tag(tag, in: name), target)
        }
    }

    private func requireBlobs(of manifest: Manifest, in name: RepositoryName) async throws {
        let needed = manifest.references.filter(\.mustBePresent)
        let found = try await objects.map(needed) { try await usableLink($0.digest, in: name) }
        for (descriptor, entry) in zip(needed, found) {
            guard let size = entry?.size else { throw RegistryError.missingBlob(descriptor.digest) }
            guard size == descriptor.size else { throw RegistryError.wrongSize(descriptor.digest, size: size) }
        }
    }

    func removeManifest(_ digest: ImageDigest, from name: RepositoryName) async throws -> Bool {
        let prefix = layout.manifests(digest, in: name)
        let entries = try await objects.list(prefix)
        guard !ObjectEntry.read(entries).isEmpty else { return false }
        try await refuseHeld(digest, in: name)
        let found = try await manifest(digest, in: name)
        let tagged = layout.tagged(digest, in: name)
        for entry in try await objects.list(tagged) {
            // A name that is no tag was not made by the registry.
            if let tag = try? ImageTag(entry.name), try await resolve(tag, in: name)?.digest == digest {
                try await objects.remove(layout.tag(tag, in: name))
            }
            try await objects.remove(tagged + entry.name)
        }
        if let subject = found?.record.subject {
            try await objects.remove(layout.referrer(digest, of: subject, in: name))
        }
        for entry in entries { try await objects.remove(prefix + entry.name) }
        guard let found, try await !objects.list(layout.holders(of: digest, in: name)).isEmpty else { return true }
        // The hold came while the manifest went: the holder has been promised that it stays.
        let back = BucketManifest(record: found.record, bytes: found.bytes)
        try await objects.write(prefix + Self.newObject(), try back.encoded())
        return true
    }

    func removeTag(_ tag: ImageTag, from name: RepositoryName) async throws -> Bool {
        guard let target = try await resolve(tag, in: name) else { return false }
        try await objects.remove(layout.tag(tag, in: name))
        try await objects.remove(layout.tagged(target.digest, in: name) + "\(tag)")
        return true
    }

    func tags(in name: RepositoryName) async throws -> [ImageTag]? {
        // A name that is no tag was not made by the registry.
        let tags = try await objects.list(layout.tags(name)).compactMap { try? ImageTag($0.name) }
        if tags.isEmpty, try await entries(of: name).isEmpty { return nil }
        return tags.sorted { "\($0)".utf8.lexicographicallyPrecedes("\($1)".utf8) }
    }

    func referrers(of subject: ImageDigest, in name: RepositoryName) async throws -> [Descriptor] {
        let prefix = layout.referrers(of: subject, in: name)
        return try await objects.map(try await objects.list(prefix)) { entry in
            try await objects.read(prefix + entry.name).flatMap { RecordCoding.decode(Descriptor.self, $0) }
        }.compactMap(\.self)
    }
}

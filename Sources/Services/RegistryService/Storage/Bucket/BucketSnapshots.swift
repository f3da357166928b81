import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// The entries of one repository of a bucket, as they were listed.
struct BucketListing: Sendable {
    let name: RepositoryName
    var blobs: [ImageDigest: [ObjectEntry]] = [:]
    var manifests: [ImageDigest: [ObjectEntry]] = [:]
    /// Tags and when they were written.
    var tags: [ImageTag: Date] = [:]
    /// When each tag was pushed to each digest last: `<digest>/<tag>`.
    var tagged: [String: Date] = [:]
    /// When each tag was pushed last, to whatever digest.
    private var pushed: [String: Date] = [:]
    var holds: [ImageDigest: Set<HoldName>] = [:]
    var referrers: [Referrer] = []
    /// Whether the repository holds nothing at all.
    let isEmpty: Bool
    /// Marks whose entry is gone: a delete and a collection met.
    var strays: [BucketObjects.Entry] = []

    /// An entry that tells of a manifest about another one.
    struct Referrer: Sendable {
        let digest: ImageDigest
        let subject: ImageDigest
        let written: Date
    }

    init(name: RepositoryName, entries: [BucketObjects.Entry]) {
        self.name = name
        isEmpty = entries.isEmpty
        var blobs: [ImageDigest: [BucketObjects.Entry]] = [:]
        var manifests: [ImageDigest: [BucketObjects.Entry]] = [:]
        for entry in entries {
            let parts = entry.name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            switch (parts.first, parts.count) {
            case ("_blobs", 4):
                Self.add(entry, parts, to: &blobs)
            case ("_manifests", 4):
                Self.add(entry, parts, to: &manifests)
            case ("_tags", 2):
                // What is no tag was not made by the registry.
                if let tag = try? ImageTag(parts[1]) { tags[tag] = entry.modified }
            case ("_tagged", 3):
                tagged["\(parts[1])/\(parts[2])"] = entry.modified
                pushed[parts[2]] = max(entry.modified, pushed[parts[2]] ?? entry.modified)
            case ("_holds", 3):
                if let digest = BucketLayout.digest(flat: parts[1]), let holder = HoldName(parts[2]) {
                    holds[digest, default: []].insert(holder)
                }
            case ("_referrers", 3):
                if let subject = BucketLayout.digest(flat: parts[1]), let digest = BucketLayout.digest(flat: parts[2]) {
                    referrers.append(Referrer(digest: digest, subject: subject, written: entry.modified))
                }
            default: break
            }
        }
        self.blobs = blobs.mapValues(ObjectEntry.read).filter { !$0.value.isEmpty }
        self.manifests = manifests.mapValues(ObjectEntry.read).filter { !$0.value.isEmpty }
        let names = Set(entries.map(\.name))
        strays = entries.filter { entry in
            let isEntry = entry.name.hasPrefix("_blobs/") || entry.name.hasPrefix("_manifests/")
            return isEntry && entry.name.hasSuffix(BucketLayout.condemned)
                && !names.contains(String(entry.name.dropLast(BucketLayout.condemned.count)))
        }
    }

    /// Whether a push of a tag may have been under way when this was listed: it leaves its mark, then writes the tag.
    func wasPushed(_ tag: ImageTag, since limit: Date) -> Bool { pushed["\(tag)"].map { $0 > limit } ?? false }

    /// Tags whose last mark is not that of a manifest which is there; whether they lead anywhere has to be read.
    var doubtfulTags: [ImageTag] {
        var last: [Substring: (written: Date, isThere: Bool)] = [:]
        for (mark, written) in tagged {
            let parts = mark.split(separator: "/")
            let isThere = BucketLayout.digest(flat: parts[0]).map { manifests[$0] != nil } ?? false
            let known = last[parts[1]] ?? (written, isThere)
            // Marks of one moment do not tell which was the last.
            let both = known.written == written && !(known.isThere && isThere)
            last[parts[1]] = both ? (written, false) : known.written > written ? known : (written, isThere)
        }
        return tags.keys.filter { last["\($0)"]?.isThere != true }
    }

    private static func add(
        _ entry: BucketObjects.Entry, _ parts: [String], to entries: inout [ImageDigest: [BucketObjects.Entry]]
    ) {
        guard let algorithm = ImageDigest.Algorithm(rawValue: parts[1]),
            // What is no digest was not made by the registry.
            let digest = try? ImageDigest(algorithm: algorithm, encoded: parts[2])
        else { return }
        entries[digest, default: []].append(.init(name: parts[3], size: entry.size, modified: entry.modified))
    }
}

extension BucketStorage {
    /// Lists a repository; its entries are the listed keys without the part that names it.
    func listing(of name: RepositoryName) async throws -> BucketListing {
        let prefix = layout.repository(name)
        let entries = try await objects.store.listAll(prefix: prefix + "_").map {
            BucketObjects.Entry(name: String("\($0.key)".dropFirst(prefix.count)), size: $0.size, modified: $0.modified)
        }
        return BucketListing(name: name, entries: entries)
    }

    /// What a listed repository holds.
    ///
    /// - Parameter readingTags: whether tags are read, which costs a request each.
    func snapshot(of listing: BucketListing, readingTags: Bool) async throws -> RepositorySnapshot {
        var snapshot = RepositorySnapshot(name: listing.name)
        snapshot.holds = listing.holds
        for (digest, entries) in listing.blobs {
            guard let best = entries.first else { continue }
            snapshot.blobs[digest] = .init(
                size: best.size ?? 0, written: entries.map(\.listed).max() ?? best.listed)
        }
        let records = try await objects.map(Array(listing.manifests)) { digest, entries in
            (digest, try await record(of: digest, entries, in: listing.name))
        }
        for (digest, record) in records {
            guard let record, let written = listing.manifests[digest]?.map(\.listed).max() else { continue }
            snapshot.manifests[digest] = .init(record: record, written: written)
        }
        guard readingTags else { return snapshot }
        let tags = try await objects.map(Array(listing.tags)) { tag, written in
            (tag, written, try await resolve(tag, in: listing.name)?.digest)
        }
        for (tag, written, digest) in tags {
            if let digest { snapshot.tags[tag] = .init(digest: digest, written: written) }
        }
        return snapshot
    }

    private func record(
        of digest: ImageDigest, _ entries: [ObjectEntry], in name: RepositoryName
    ) async throws -> ManifestRecord? {
        for entry in entries {
            if let record = knownManifests[entry.object] { return record }
            guard let bytes = try await objects.read(layout.manifests(digest, in: name) + entry.name),
                let manifest = BucketManifest(bytes, digest: digest)
            else { continue }
            knownManifests[entry.object] = manifest.record
            return manifest.record
        }
        return nil
    }

    func snapshot(of name: RepositoryName) async throws -> RepositorySnapshot? {
        guard try await !entries(of: name).isEmpty else { return nil }
        return try await snapshot(of: listing(of: name), readingTags: true)
    }

    // MARK: Holds

    func hold(_ digest: ImageDigest, in name: RepositoryName, for holder: HoldName) async throws -> Bool {
        guard try await keepManifest(digest, in: name) else { return false }
        try await objects.mark(layout.holders(of: digest, in: name) + "\(holder)")
        // Somebody may have deleted it between the look and the mark; who deletes later sees the mark.
        if try await keepManifest(digest, in: name) { return true }
        try await objects.remove(layout.holders(of: digest, in: name) + "\(holder)")
        return false
    }

    func release(_ digest: ImageDigest, in name: RepositoryName, for holder: HoldName) async throws -> Bool {
        let key = layout.holders(of: digest, in: name) + "\(holder)"
        guard try await objects.size(key) != nil else { return false }
        try await objects.remove(key)
        return true
    }

    func holds(in name: RepositoryName) async throws -> [ImageDigest: Set<HoldName>] {
        var holds: [ImageDigest: Set<HoldName>] = [:]
        for entry in try await objects.list(layout.holds(name)) {
            let parts = entry.name.split(separator: "/")
            guard parts.count == 2, let digest = BucketLayout.digest(flat: parts[0]), let holder = HoldName(parts[1])
            else { continue }
            holds[digest, default: []].insert(holder)
        }
        return holds
    }

    /// Refuses to let go what a held manifest is or needs.
    func refuseHeld(_ digest: ImageDigest, in name: RepositoryName) async throws {
        guard try await !objects.list(layout.holds(name)).isEmpty else { return }
        let held = try await snapshot(of: listing(of: name), readingTags: false).heldContent()
        if let holder = held[digest] { throw RegistryError.held(digest, by: holder) }
    }

    func usage(of name: RepositoryName) async throws -> Int {
        try await snapshot(of: listing(of: name), readingTags: false).bytes
    }

    func totalUsage() async throws -> Int { try await objects.list("data/").reduce(0) { $0 + $1.size } }
}

import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// One collection of a bucket, beside requests of any number of replicas and beside other collections.
///
/// Nothing goes at once. What nothing needs for half the grace period is marked as condemned; what is condemned for
/// another half, and still not needed, goes. A push relies on a condemned entry only in the first half of that time and
/// leaves its trace at once, so the trace is there when the end is decided. A mark on what is needed again is taken
/// away.
struct BucketCollection {
    let storage: BucketStorage
    let run: CollectionRun
    private let start: Date
    private var report = CollectionReport()
    /// The entries of content that repositories refer to, as `<digest>/<object>-<size>`.
    private var linked: Set<String> = []
    /// Bytes of manifests, which lie in their repositories.
    private var manifests = StorageUsage.Amount()

    init(storage: BucketStorage, run: CollectionRun) {
        self.storage = storage
        self.run = run
        start = run.now
    }

    mutating func collect() async throws -> CollectionReport {
        let names = try await storage.names()
        for (name, entries) in names.entries.sorted(by: { $0.key < $1.key }) {
            let listing = try await storage.listing(of: name)
            let rule = run.rules.rule(for: name)
            let snapshot = try await storage.snapshot(
                of: listing, readingTags: rule.keepTags != nil || rule.untaggedAfter != nil)
            // Half the time passes before something is condemned, half of it afterwards.
            let plan = RetentionPlan(snapshot, rule: rule, grace: run.rules.grace / 2, now: start)
            let waiting = try await collectTags(listing, snapshot, plan)
            try await collectManifests(listing, snapshot, plan.manifests, waiting: waiting)
            try await collectRemnants(listing)
            try await collectBlobs(listing, plan)
            for stray in listing.strays where start.timeIntervalSince(stray.modified) >= half {
                try await remove(storage.layout.repository(name) + stray.name)
            }
            try await collectName(listing, entries)
        }
        for stray in names.strays where start.timeIntervalSince(stray.modified) >= half {
            try await remove(storage.layout.names + stray.name)
        }
        try await collectContent()
        report.usage.manifests = manifests
        return report
    }

    private mutating func note(_ item: CollectedItem) {
        report.add(item)
        run.note(item)
    }

    // MARK: Condemning

    /// What becomes of an entry.
    private enum Fate {
        case stays
        case goes
    }

    /// Moves an entry a step towards its end, or back.
    ///
    /// - Parameter key: of the entry.
    private func judge(_ entry: ObjectEntry, key: String, isNeeded: Bool) async throws -> Fate {
        let mark = key + BucketLayout.condemned
        guard !isNeeded else {
            if entry.hasMark, !run.isDryRun { try await storage.objects.remove(mark) }
            return .stays
        }
        if entry.condemned != nil { return isDue(entry) ? .goes : .stays }
        if start.timeIntervalSince(entry.listed) >= half, !run.isDryRun { try await storage.objects.mark(mark) }
        return .stays
    }

    private var half: Double { run.rules.grace.seconds / 2 }

    /// Whether an entry has been condemned for long enough; services tell times in whole seconds.
    private func isDue(_ entry: ObjectEntry) -> Bool {
        entry.condemned.map { start.timeIntervalSince($0) >= half + 1 } ?? false
    }

    private func remove(_ keys: String...) async throws {
        guard !run.isDryRun else { return }
        for key in keys { try await storage.objects.remove(key) }
    }

    // MARK: Repositories

    /// Lets a repository leave the catalog that holds nothing any more.
    ///
    /// While it holds something all its entries stay, so that no replica has to know on which one another relies.
    private mutating func collectName(_ listing: BucketListing, _ entries: [ObjectEntry]) async throws {
        var left = entries.count
        for entry in entries {
            let key = storage.layout.names(listing.name) + entry.name
            let fate = try await judge(entry, key: key, isNeeded: !listing.isEmpty)
            guard case .goes = fate else { continue }
            try await remove(key, key + BucketLayout.condemned)
            left -= 1
        }
        if left == 0 { note(.repository(listing.name)) }
    }

    /// Removes expired tags; a tag whose image goes too stays until all of the image is due.
    ///
    /// - Returns: manifests that have to wait for others of their image.
    private mutating func collectTags(
        _ listing: BucketListing, _ snapshot: RepositorySnapshot, _ plan: RetentionPlan
    ) async throws -> Set<ImageDigest> {
        let due = plan.manifests.filter { listing.manifests[$0]?.first.map(isDue) ?? true }
        var waiting: Set<ImageDigest> = []
        var removed: Set<ImageTag> = []
        for tag in plan.tags {
            let image = snapshot.closure(of: snapshot.tags[tag].map { [$0.digest] } ?? [])
                .intersection(plan.manifests)
            guard image.isSubset(of: due), !isBeingPushed(tag, listing) else {
                waiting.formUnion(image)
                continue
            }
            try await remove(storage.layout.tag(tag, in: listing.name))
            removed.insert(tag)
            note(.tag(listing.name, tag))
        }
        if !removed.isEmpty, !run.isDryRun { try await restore(removed, listing) }
        return waiting
    }

    private func isBeingPushed(_ tag: ImageTag, _ listing: BucketListing) -> Bool {
        listing.wasPushed(tag, since: start.addingTimeInterval(-half))
    }

    /// Puts tags up again that fell although a push wrote them at this moment; it left a mark first.
    private func restore(_ tags: Set<ImageTag>, _ listing: BucketListing) async throws {
        let now = try await storage.listing(of: listing.name)
        for (mark, written) in now.tagged where listing.tagged[mark] != written {
            let parts = mark.split(separator: "/")
            guard parts.count == 2, let digest = BucketLayout.digest(flat: parts[0]),
                let tag = tags.first(where: { "\($0)" == parts[1] }),
                try await storage.resolve(tag, in: listing.name) == nil
            else { continue }
            let target = BucketTag(digest: digest, object: BucketStorage.newObject())
            try await storage.objects.write(
                storage.layout.tag(tag, in: listing.name), try RecordCoding.encode(target))
        }
    }

    private mutating func collectManifests(
        _ listing: BucketListing, _ snapshot: RepositorySnapshot, _ doomed: Set<ImageDigest>,
        waiting: Set<ImageDigest>
    ) async throws {
        let name = listing.name
        for (digest, entries) in listing.manifests {
            let prefix = storage.layout.manifests(digest, in: name)
            let record = snapshot.manifests[digest]?.record
            manifests.add(record?.size ?? 0)
            for (index, entry) in entries.enumerated() {
                // One entry serves; the others came from pushes of the same manifest.
                let isNeeded = index == 0 && !doomed.contains(digest) && record != nil
                let fate = try await judge(entry, key: prefix + entry.name, isNeeded: isNeeded)
                guard case .goes = fate, !waiting.contains(digest) else { continue }
                try await remove(prefix + entry.name, prefix + entry.name + BucketLayout.condemned)
                guard entries.count == 1 else { continue }
                note(.manifest(name, digest))
                try await removeTraces(of: digest, record, listing)
            }
        }
    }

    /// Removes what led to a manifest that is gone, unless a push has brought it back meanwhile.
    private func removeTraces(
        of digest: ImageDigest, _ record: ManifestRecord?, _ listing: BucketListing
    ) async throws {
        guard !run.isDryRun else { return }
        if let subject = record?.subject { try await removeReferrer(digest, of: subject, in: listing.name) }
        try await removeTagMarks(of: digest, listing)
    }

    /// Removes the entry of a manifest about another one, if it is gone.
    private func removeReferrer(
        _ digest: ImageDigest, of subject: ImageDigest, in name: RepositoryName
    ) async throws {
        let reference = ManifestReference.digest(digest)
        guard try await storage.manifest(reference, in: name) == nil else { return }
        let key = storage.layout.referrer(digest, of: subject, in: name)
        try await storage.objects.remove(key)
        guard let back = try await storage.manifest(reference, in: name) else { return }
        let manifest = try Manifest(back.bytes, contentType: back.record.mediaType)
        let push = ManifestPush(manifest: manifest, bytes: back.bytes, digest: digest, tags: [])
        try await storage.objects.write(key, try RecordCoding.encode(push.descriptor()))
    }

    /// Removes what leads to manifests that are not there: one was deleted while it was pushed.
    private mutating func collectRemnants(_ listing: BucketListing) async throws {
        let name = listing.name
        for entry in listing.referrers
        where listing.manifests[entry.digest] == nil && start.timeIntervalSince(entry.written) >= half {
            note(.remains("\(name): entry of \(entry.digest), which is gone, about \(entry.subject)"))
            if !run.isDryRun { try await removeReferrer(entry.digest, of: entry.subject, in: name) }
        }
        var removed: Set<ImageTag> = []
        for tag in listing.doubtfulTags where start.timeIntervalSince(listing.tags[tag] ?? start) >= half {
            guard !isBeingPushed(tag, listing), let target = try await storage.resolve(tag, in: name),
                try await storage.manifest(.digest(target.digest), in: name) == nil
            else { continue }
            try await remove(storage.layout.tag(tag, in: name))
            removed.insert(tag)
            note(.tag(name, tag))
        }
        if !removed.isEmpty, !run.isDryRun { try await restore(removed, listing) }
    }

    private func removeTagMarks(of digest: ImageDigest, _ listing: BucketListing) async throws {
        let folder = BucketLayout.flat(digest) + "/"
        for mark in listing.tagged.keys where mark.hasPrefix(folder) {
            let text = mark.dropFirst(folder.count)
            // A name that is no tag was not made by the registry.
            let tag = try? ImageTag(String(text))
            if let tag, try await storage.resolve(tag, in: listing.name)?.digest == digest { continue }
            try await remove(storage.layout.tagged(digest, in: listing.name) + text)
        }
    }

    private mutating func collectBlobs(_ listing: BucketListing, _ plan: RetentionPlan) async throws {
        let name = listing.name
        for (digest, entries) in listing.blobs {
            let prefix = storage.layout.links(digest, in: name)
            // Of several entries the first that is whole serves. Where none is, all stay and tell of the damage.
            let preferred = entries.count == 1 ? entries.first : try await storage.firstWhole(entries)
            for entry in entries {
                let isNeeded = (preferred ?? entry) == entry && !plan.blobs.contains(digest)
                if case .goes = try await judge(entry, key: prefix + entry.name, isNeeded: isNeeded) {
                    try await remove(prefix + entry.name, prefix + entry.name + BucketLayout.condemned)
                    note(.blob(name, digest))
                } else {
                    linked.insert("\(digest.algorithm.rawValue)/\(digest.encoded)/\(entry.content)")
                }
            }
        }
    }

    // MARK: Content

    private mutating func collectContent() async throws {
        // Objects before entries, because an entry is written after its object.
        let stored = try await storage.objects.list("data/")
        var sizes: [String: Int] = [:]
        for object in stored { sizes[object.name] = object.size }
        var named: Set<String> = []
        for (digest, entries) in try await storage.contentEntries() {
            for entry in entries {
                let size = sizes[entry.object] ?? 0
                named.insert(entry.object)
                let isNeeded = linked.contains("\(digest)/\(entry.name)")
                let key = "blobs/\(digest)/\(entry.name)"
                guard case .goes = try await judge(entry, key: key, isNeeded: isNeeded) else {
                    if isNeeded { report.usage.blobs.add(size) } else { report.usage.unreferenced.add(size) }
                    continue
                }
                // The content first: what is left after a crash is found again by its entry.
                try await remove(storage.layout.data(entry.object), key, key + BucketLayout.condemned)
                note(.content(digest.replacing("/", with: ":"), bytes: size))
            }
        }
        for object in stored where !named.contains(object.name) {
            let isOld = start.timeIntervalSince(object.modified) >= run.rules.grace.seconds
            guard isOld else {
                report.usage.unreferenced.add(object.size)
                continue
            }
            try await remove(storage.layout.data(object.name))
            note(.remains("object data/\(object.name) of a push that did not end, \(object.size) bytes"))
        }
    }
}

extension BucketStorage {
    func collect(_ run: CollectionRun) async throws -> CollectionReport {
        var collection = BucketCollection(storage: self, run: run)
        return try await collection.collect()
    }

    /// The first entry whose content has the right length.
    func firstWhole(_ entries: [ObjectEntry]) async throws -> ObjectEntry? {
        for entry in entries where try await isWhole(entry) { return entry }
        return nil
    }

    /// The entries of all content, by `<algorithm>/<digest>`.
    func contentEntries() async throws -> [String: [ObjectEntry]] {
        var found: [String: [BucketObjects.Entry]] = [:]
        for entry in try await objects.list("blobs/") {
            let parts = entry.name.split(separator: "/")
            guard parts.count == 3 else { continue }
            found["\(parts[0])/\(parts[1])", default: []].append(
                .init(name: String(parts[2]), size: entry.size, modified: entry.modified))
        }
        return found.mapValues(ObjectEntry.read)
    }

    func keepManifest(_ digest: ImageDigest, in name: RepositoryName) async throws -> Bool {
        let prefix = layout.manifests(digest, in: name)
        let entries = ObjectEntry.read(try await objects.list(prefix))
        guard let entry = entries.first(where: { $0.isUsable(grace: grace) }) else { return false }
        if entry.condemned != nil { try await objects.remove(prefix + entry.name + BucketLayout.condemned) }
        return true
    }
}

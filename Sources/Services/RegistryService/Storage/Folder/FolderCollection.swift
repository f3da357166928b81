import ConcurrencyPrimitives
import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// One collection of a folder, beside requests.
///
/// First each repository lets go what its rule says, in the repository's turn, so that no push comes between the look
/// and the removal. Then content goes that no repository refers to, each in its digest's turn: a commit or mount of it
/// either came before and is seen or noted, or comes after and finds it gone.
struct FolderCollection {
    let storage: FolderStorage
    let run: CollectionRun
    private let start: Date
    private var report = CollectionReport()
    /// Everything repositories refer to, as blob or as manifest.
    private var linked: [ImageDigest: Bool] = [:]

    init(storage: FolderStorage, run: CollectionRun) {
        self.storage = storage
        self.run = run
        start = run.now
    }

    /// When something must have been used last to go.
    private var settled: Date { start.addingTimeInterval(-run.rules.grace.seconds) }

    mutating func collect() async throws -> CollectionReport {
        storage.journal.begin()
        defer { storage.journal.end() }
        for name in try await storage.catalog() { try await collect(name) }
        try await collectContent()
        return report
    }

    private mutating func note(_ item: CollectedItem) {
        report.add(item)
        run.note(item)
    }

    // MARK: Repositories

    private mutating func collect(_ name: RepositoryName) async throws {
        let (rules, now, metadata) = (run.rules, start, storage.metadata)
        let seen = try await storage.threads.run { try metadata.snapshot(of: name) }
        let plan = RetentionPlan(seen, rule: rules.rule(for: name), grace: rules.grace, now: now)
        if plan.isEmpty || run.isDryRun {
            let items = Self.items(plan, name)
            keepLinks(of: seen, without: items)
            return try await letGo(seen, without: items)
        }
        let (rest, items) = try await storage.repositories.withKey(name) { [storage, settled] in
            let snapshot = try await storage.threads.run {
                try metadata.snapshot(of: name, known: seen.manifests)
            }
            let plan = RetentionPlan(snapshot, rule: rules.rule(for: name), grace: rules.grace, now: now)
            return (snapshot, try await storage.apply(plan, to: snapshot, settled: settled))
        }
        keepLinks(of: rest, without: items)
        try await letGo(rest, without: items)
    }

    /// Lets a repository leave the catalog that holds nothing any more.
    private mutating func letGo(_ snapshot: RepositorySnapshot, without items: [CollectedItem]) async throws {
        guard snapshot.itemCount == items.count, snapshot.holds.isEmpty else { return }
        let name = snapshot.name
        if !run.isDryRun {
            let isOut = try await storage.repositories.withKey(name) { [storage] in
                try await storage.threads.run { [metadata = storage.metadata] in try metadata.removeEmptied(name) }
            }
            guard isOut else { return }
        }
        note(.repository(name))
    }

    private mutating func keepLinks(of snapshot: RepositorySnapshot, without items: [CollectedItem]) {
        for item in items { note(item) }
        let gone = Set(items)
        for digest in snapshot.blobs.keys where !gone.contains(.blob(snapshot.name, digest)) {
            linked[digest] = linked[digest] ?? false
        }
        for digest in snapshot.manifests.keys where !gone.contains(.manifest(snapshot.name, digest)) {
            linked[digest] = true
        }
    }

    private static func items(_ plan: RetentionPlan, _ name: RepositoryName) -> [CollectedItem] {
        plan.tags.map { .tag(name, $0) } + plan.manifests.map { .manifest(name, $0) }
            + plan.blobs.map { .blob(name, $0) }
    }

    // MARK: Content

    private mutating func collectContent() async throws {
        let (layout, files) = (storage.layout, storage.files)
        for algorithm in ImageDigest.Algorithm.allCases {
            let folder = "\(layout.blobs)/\(algorithm.rawValue)"
            for group in try await storage.threads.run({ try files.names(in: folder) }) {
                let found = try await storage.threads.run {
                    try files.names(in: "\(folder)/\(group)").compactMap { name -> (ImageDigest, FileStatus)? in
                        // A file whose name is no digest was not made by the registry.
                        guard let digest = try? ImageDigest(algorithm: algorithm, encoded: name) else { return nil }
                        return try files.status(layout.blob(digest)).map { (digest, $0) }
                    }
                }
                for (digest, status) in found { try await collect(digest, status) }
            }
        }
    }

    private mutating func collect(_ digest: ImageDigest, _ status: FileStatus) async throws {
        switch linked[digest] {
        case true?: report.usage.manifests.add(status.size)
        case false?: report.usage.blobs.add(status.size)
        case nil:
            if status.modified < settled, try await removeContent(digest) {
                note(.content("\(digest)", bytes: status.size))
            } else {
                report.usage.unreferenced.add(status.size)
            }
        }
    }

    private func removeContent(_ digest: ImageDigest) async throws -> Bool {
        guard !run.isDryRun else { return true }
        return try await storage.digests.withKey(digest) { [storage, settled] in
            guard !storage.journal.contains(digest) else { return false }
            return try await storage.threads.run { [layout = storage.layout, files = storage.files] in
                let path = layout.blob(digest)
                guard let status = try files.status(path), status.modified < settled else { return false }
                return try files.remove(path)
            }
        }
    }
}

extension FolderStorage {
    func collect(_ run: CollectionRun) async throws -> CollectionReport {
        var collection = FolderCollection(storage: self, run: run)
        return try await collection.collect()
    }

    /// Removes what a plan says, in the repository's turn, and tells what went.
    func apply(
        _ plan: RetentionPlan, to snapshot: RepositorySnapshot, settled: Date
    ) async throws -> [CollectedItem] {
        let name = snapshot.name
        let tagged = Set(snapshot.tags.values.map(\.digest))
        // What a tag names goes last: after a crash in between the rule finds the tag again.
        let manifests = plan.manifests.sorted { !tagged.contains($0) && tagged.contains($1) }
        var items: [CollectedItem] = try await threads.run { [metadata] in
            try manifests.filter { try metadata.removeManifest($0, in: name) }.map { .manifest(name, $0) }
        }
        items += try await threads.run { [metadata] in
            for tag in plan.tags { _ = try metadata.removeTag(tag, in: name) }
            return plan.tags.map { .tag(name, $0) }
        }
        for digest in plan.blobs {
            // In the digest's turn, because a push of the blob resets its age there.
            let isGone = try await digests.withKey(digest) {
                try await threads.run { [files, layout] in
                    let path = layout.blobLink(digest, in: name)
                    guard let status = try files.status(path), status.modified < settled else { return false }
                    return try files.remove(path)
                }
            }
            if isGone { items.append(.blob(name, digest)) }
        }
        return items
    }
}

import FoundationEssentials
import OCIRegistry

/// What of a repository is to go. A pure function of what it holds, so that storage of any kind decides alike.
struct RetentionPlan: Hashable, Sendable {
    /// Tags past the number to keep.
    var tags: Set<ImageTag> = []
    /// Manifests that no tag, hold, index or subject keeps.
    var manifests: Set<ImageDigest> = []
    /// Blobs that no manifest names; those of manifests that go now stay for another grace period.
    var blobs: Set<ImageDigest> = []

    var isEmpty: Bool { tags.isEmpty && manifests.isEmpty && blobs.isEmpty }

    init(_ snapshot: RepositorySnapshot, rule: RetentionRule, grace: Duration, now: Date) {
        let settled = now.addingTimeInterval(-grace.seconds)
        tags = Self.expiredTags(snapshot, rule, settled)
        manifests = Self.unneeded(snapshot, rule, expired: tags, now: now, settled: settled)
        let needed = Set(snapshot.manifests.values.flatMap(\.record.references))
        blobs = Set(snapshot.blobs.filter { !needed.contains($0.key) && $0.value.written < settled }.keys)
    }

    private static func expiredTags(
        _ snapshot: RepositorySnapshot, _ rule: RetentionRule, _ settled: Date
    ) -> Set<ImageTag> {
        guard let count = rule.keepTags else { return [] }
        let held = Set(snapshot.heldContent().keys)
        let candidates = snapshot.tags.filter { !rule.isProtected($0.key) }
            .sorted { ($0.value.written, "\($0.key)") > ($1.value.written, "\($1.key)") }
        return Set(
            candidates.dropFirst(count)
                .filter { $0.value.written < settled && !held.contains($0.value.digest) }.map(\.key))
    }

    private static func unneeded(
        _ snapshot: RepositorySnapshot, _ rule: RetentionRule, expired: Set<ImageTag>, now: Date, settled: Date
    ) -> Set<ImageDigest> {
        var roots = Set(snapshot.tags.filter { !expired.contains($0.key) }.map(\.value.digest))
        roots.formUnion(snapshot.holds.filter { !$0.value.isEmpty }.keys)
        // With an expired tag goes the whole image it named: the manifests of its platforms, and what is about them.
        let wasTagged = snapshot.closure(of: snapshot.tags.filter { expired.contains($0.key) }.map(\.value.digest))
        let limit = rule.untaggedAfter.map { min(settled, now.addingTimeInterval(-Double($0))) }
        for (digest, document) in snapshot.manifests where !mayGo(document, digest, wasTagged, limit, settled) {
            // What is about another manifest lives and dies with it.
            if let subject = document.record.subject, snapshot.manifests[subject] != nil { continue }
            roots.insert(digest)
        }
        let kept = snapshot.closure(of: roots)
        return Set(snapshot.manifests.filter { !kept.contains($0.key) && $0.value.written < settled }.keys)
    }

    /// Whether age allows a manifest to go when nothing keeps it.
    private static func mayGo(
        _ document: RepositorySnapshot.Document, _ digest: ImageDigest, _ wasTagged: Set<ImageDigest>, _ limit: Date?,
        _ settled: Date
    ) -> Bool {
        if wasTagged.contains(digest) { return document.written < settled }
        guard let limit else { return false }
        return document.written < limit
    }
}

import FoundationEssentials
import OCIRegistry

/// What a repository holds at one moment, as far as keeping and removing is concerned.
struct RepositorySnapshot: Sendable {
    /// A tag and when it was written last.
    struct Tag: Hashable, Sendable {
        let digest: ImageDigest
        let written: Date
    }

    /// A manifest and when somebody pushed it or relied on it last.
    struct Document: Hashable, Sendable {
        let record: ManifestRecord
        let written: Date
    }

    /// A visible blob and when somebody pushed it or relied on it last.
    struct Blob: Hashable, Sendable {
        let size: Int
        let written: Date
    }

    let name: RepositoryName
    var tags: [ImageTag: Tag] = [:]
    var manifests: [ImageDigest: Document] = [:]
    var blobs: [ImageDigest: Blob] = [:]
    var holds: [ImageDigest: Set<HoldName>] = [:]

    /// What counts against the repository's budget: each blob and each manifest once.
    var bytes: Int {
        blobs.values.reduce(0) { $0 + $1.size } + manifests.values.reduce(0) { $0 + $1.record.size }
    }

    /// How many tags, manifests and blobs there are.
    var itemCount: Int { tags.count + manifests.count + blobs.count }

    /// The manifests reached from `roots`: what an index lists, and what is about a kept manifest.
    func closure(of roots: some Sequence<ImageDigest>) -> Set<ImageDigest> {
        var referrers: [ImageDigest: [ImageDigest]] = [:]
        for (digest, document) in manifests {
            if let subject = document.record.subject { referrers[subject, default: []].append(digest) }
        }
        var kept: Set<ImageDigest> = []
        var open = Array(roots)
        while let digest = open.popLast() {
            guard let document = manifests[digest], kept.insert(digest).inserted else { continue }
            open += document.record.references
            open += referrers[digest] ?? []
        }
        return kept
    }

    /// Everything held manifests need: themselves, what they list, and their blobs; with one of the holders each.
    func heldContent() -> [ImageDigest: HoldName] {
        var found: [ImageDigest: HoldName] = [:]
        for (digest, holders) in holds {
            guard let holder = holders.min() else { continue }
            for manifest in closure(of: [digest]) {
                found[manifest] = holder
                for reference in manifests[manifest]?.record.references ?? [] { found[reference] = holder }
            }
        }
        return found
    }
}

import FoundationEssentials
import OCIRegistry
import PlatformModel

/// Tells who holds a digest: the tags, holds, indexes, manifests and subjects that lead to it.
struct Explanation: Sendable {
    private static let chainLimit = 1000

    let digest: ImageDigest
    private(set) var lines: [String] = []

    init(of digest: ImageDigest) { self.digest = digest }

    /// Adds what a repository knows of the digest.
    mutating func add(_ snapshot: RepositorySnapshot) {
        let name = snapshot.name
        let blob = snapshot.blobs[digest]
        let manifest = snapshot.manifests[digest]
        if let blob { lines.append("\(name): blob of \(blob.size) bytes, last used \(blob.written.wire)") }
        if let manifest {
            lines.append(
                "\(name): \(manifest.record.mediaType) of \(manifest.record.size) bytes, last used "
                    + manifest.written.wire)
        }
        let chains = Self.chains(to: digest, in: snapshot)
        lines += chains.map { "\(name): \($0)" }
        if chains.isEmpty, blob != nil {
            lines.append("\(name): no manifest needs the blob; it goes after the grace period")
        }
    }

    private static func chains(to digest: ImageDigest, in snapshot: RepositorySnapshot) -> [String] {
        var parents: [ImageDigest: [ImageDigest]] = [:]
        for (parent, document) in snapshot.manifests {
            for child in Set(document.record.references) { parents[child, default: []].append(parent) }
            // What is about a manifest lives as long as that.
            if let subject = document.record.subject { parents[parent, default: []].append(subject) }
        }
        var tags: [ImageDigest: [String]] = [:]
        for (tag, target) in snapshot.tags { tags[target.digest, default: []].append("tag \(tag)") }
        var chains: [String] = []
        var seen: Set<ImageDigest> = [digest]
        var open = [(digest, "\(digest)")]
        while let (current, chain) = open.popLast(), chains.count < chainLimit {
            let holders = (snapshot.holds[current] ?? []).sorted().map { "hold \($0)" }
            let roots = (tags[current] ?? []).sorted() + holders
            chains += roots.map { "\($0) -> \(chain)" }
            let above = (parents[current] ?? []).sorted { "\($0)" < "\($1)" }
            for parent in above where seen.insert(parent).inserted { open.append((parent, "\(parent) -> \(chain)")) }
            if roots.isEmpty, above.isEmpty, snapshot.manifests[current] != nil {
                chains.append("no tag, kept until a rule lets untagged manifests go -> \(chain)")
            }
        }
        return chains
    }
}

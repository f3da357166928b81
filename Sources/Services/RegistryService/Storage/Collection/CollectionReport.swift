import FoundationEssentials
import OCIRegistry

/// Something a collection removed, or would remove.
enum CollectedItem: Hashable, Sendable, CustomStringConvertible {
    case tag(RepositoryName, ImageTag)
    case manifest(RepositoryName, ImageDigest)
    case blob(RepositoryName, ImageDigest)
    case content(String, bytes: Int)
    /// A repository that held nothing any more.
    case repository(RepositoryName)
    /// What a push left behind that did not end.
    case remains(String)

    var description: String {
        switch self {
        case .tag(let name, let tag): "\(name): tag \(tag)"
        case .manifest(let name, let digest): "\(name): manifest \(digest)"
        case .blob(let name, let digest): "\(name): blob \(digest)"
        case .repository(let name): "\(name): repository, which holds nothing"
        case .content(let digest, let bytes): "content \(digest), \(bytes) bytes"
        case .remains(let text): text
        }
    }

    /// The class the item is counted in.
    var label: String {
        switch self {
        case .tag: "tag"
        case .manifest: "manifest"
        case .blob: "blob"
        case .content: "content"
        case .repository: "repository"
        case .remains: "remains"
        }
    }
}

/// How much the registry holds, by what it is good for.
struct StorageUsage: Hashable, Sendable {
    struct Amount: Hashable, Sendable {
        var count = 0
        var bytes = 0

        mutating func add(_ bytes: Int) {
            count += 1
            self.bytes += bytes
        }
    }

    /// Content that repositories show as blobs.
    var blobs = Amount()
    /// Documents of manifests.
    var manifests = Amount()
    /// Content that nothing refers to and that waits for the end of the grace period.
    var unreferenced = Amount()

    var bytes: Int { blobs.bytes + manifests.bytes + unreferenced.bytes }
    var classes: [(label: String, amount: Amount)] {
        [("blob", blobs), ("manifest", manifests), ("unreferenced", unreferenced)]
    }
}

/// What a collection did, or with a dry run would do.
struct CollectionReport: Hashable, Sendable {
    /// How many items went, by class.
    private(set) var counts: [String: Int] = [:]
    /// Bytes of content that went.
    private(set) var freed = 0
    /// What is there afterwards.
    var usage = StorageUsage()

    mutating func add(_ item: CollectedItem) {
        counts[item.label, default: 0] += 1
        if case .content(_, let bytes) = item { freed += bytes }
    }

    /// One line for the log and the command.
    var summary: String {
        let parts = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return "\(parts.isEmpty ? "nothing" : parts.joined(separator: ", ")); \(freed) bytes of content freed, "
            + "\(usage.bytes) bytes stay"
    }
}

/// One run over the storage.
struct CollectionRun: Sendable {
    let rules: CollectionRules
    /// What everything's age is counted to.
    var now = Date.now
    /// Tells what would go, and removes nothing.
    var isDryRun = false
    /// Called with each item as it goes.
    var note: @Sendable (CollectedItem) -> Void = { _ in }
}

import ConcurrencyPrimitives
import OCIRegistry
import ObjectStorage

/// The entries of the catalog, as they were listed.
struct BucketNames: Sendable {
    private(set) var entries: [RepositoryName: [ObjectEntry]] = [:]
    /// Marks whose entry is gone: a collection was cut off.
    private(set) var strays: [BucketObjects.Entry] = []

    init(_ listed: [BucketObjects.Entry]) {
        var found: [RepositoryName: [BucketObjects.Entry]] = [:]
        for entry in listed {
            let parts = entry.name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            // What is no name was not made by the registry.
            guard parts.count == 2, let name = try? RepositoryName(parts[0].replacing("+", with: "/")) else { continue }
            found[name, default: []].append(.init(name: parts[1], size: entry.size, modified: entry.modified))
        }
        entries = found.mapValues(ObjectEntry.read).filter { !$0.value.isEmpty }
        let names = Set(listed.map(\.name))
        strays = listed.filter {
            $0.name.hasSuffix(BucketLayout.condemned)
                && !names.contains(String($0.name.dropLast(BucketLayout.condemned.count)))
        }
    }
}

/// When this replica last saw that a repository stays in the catalog, one look at a name at a time.
final class RepositoryRegistrations: Sendable {
    private let turns = KeyedQueue<RepositoryName>()
    private let seen = BoundedCache<RepositoryName, ContinuousClock.Instant>(limit: 100_000)

    /// Runs `look` unless a look ended well that began at most `age` ago.
    func renew(
        _ name: RepositoryName, olderThan age: Duration, _ look: @Sendable () async throws -> Void
    ) async throws {
        guard !isFresh(name, age) else { return }
        try await turns.withKey(name) {
            guard !isFresh(name, age) else { return }
            let start = ContinuousClock.now
            try await look()
            seen[name] = start
        }
    }

    private func isFresh(_ name: RepositoryName, _ age: Duration) -> Bool {
        seen[name].map { ContinuousClock.now - $0 < age } ?? false
    }
}

extension BucketStorage {
    /// Makes sure that the repository is in the catalog, and stays there until a collection sees what is written now.
    ///
    /// An entry goes half the grace period after it was condemned, if the repository is still empty then; so one that
    /// is not condemned yet may be relied on for that long. An eighth of the grace period passes between two looks.
    /// Beside a condemned one a new one is written, which no decision about the old one touches.
    func register(_ name: RepositoryName) async throws {
        try await registrations.renew(name, olderThan: grace / 8) {
            guard try await !entries(of: name).contains(where: { $0.condemned == nil }) else { return }
            try await objects.mark(layout.names(name) + Self.newObject())
        }
    }

    /// The entries of a repository in the catalog; none when there is no such repository.
    func entries(of name: RepositoryName) async throws -> [ObjectEntry] {
        ObjectEntry.read(try await objects.list(layout.names(name)))
    }

    /// The whole catalog.
    func names() async throws -> BucketNames {
        // Where earlier builds, which may still run beside this one, keep the names, as single objects that never go.
        for entry in try await objects.list(layout.oldNames) {
            // What is no name was not made by the registry.
            guard let name = try? RepositoryName(entry.name.replacing("+", with: "/")) else { continue }
            try await register(name)
            try await objects.remove(layout.oldNames + entry.name)
        }
        return BucketNames(try await objects.list(layout.names))
    }

    func catalog() async throws -> [RepositoryName] { try await names().entries.keys.sorted() }
}

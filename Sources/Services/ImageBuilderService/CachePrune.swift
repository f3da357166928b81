import CommandRunner
import FoundationEssentials
import Logging

/// Removes layers of former builds, as far as the policy asks and no build runs.
struct CachePrune: Sendable {
    /// How long builds may be kept waiting when the cache has grown to twice its size.
    private static let patience: Duration = .seconds(300)

    let buildah: Buildah
    let policy: CachePolicy
    let logger: Logger

    /// What became of it, as told on standard output.
    struct Outcome: Encodable, Sendable {
        private var event = "pruned"
        /// A build was running: nothing was done.
        var busy = false
        /// Images removed.
        var removed = 0
        /// Bytes of layers removed.
        var freed = 0
        /// Bytes of layers that are left as cache.
        var cacheBytes = 0

        enum CodingKeys: String, CodingKey {
            case event, busy, removed, freed
            case cacheBytes = "cache_bytes"
        }
    }

    func run() async throws -> Outcome {
        let store = try await LayerStore.locate(buildah)
        let turns = try BuildTurns(directory: store.root)
        defer { withExtendedLifetime(turns) {} }
        var outcome = Outcome()
        outcome.cacheBytes = try store.contents().cacheBytes
        let isUrgent = policy.size.map { outcome.cacheBytes > 2 * $0 } ?? false
        var isAlone = turns.takeAlone()
        if !isAlone, isUrgent { isAlone = try await turns.takeAlone(within: Self.patience) }
        guard isAlone else {
            outcome.busy = true
            return outcome
        }
        try await remove(from: store, &outcome)
        return outcome
    }

    private func remove(from store: LayerStore, _ outcome: inout Outcome) async throws {
        let marks = LayerUses(root: store.root)
        let uses = try marks.all()
        var contents = try store.contents()
        let (before, imagesBefore) = (contents.cacheBytes, contents.images.count)
        var tried: Set<String> = []
        while let image = policy.next(in: contents, uses: uses, tried: tried, now: Date()) {
            tried.insert(image)
            let result = try await CommandRunner.run(buildah.command(["rmi", image]))
            if !result.exit.isSuccess {
                logger.warning("Image not removed", metadata: ["image": "\(image)", "error": "\(result.errorText)"])
            }
            contents = try store.contents()
        }
        try marks.keepOnly(Set(contents.images.map(\.id)))
        outcome.cacheBytes = contents.cacheBytes
        outcome.freed = max(0, before - contents.cacheBytes)
        outcome.removed = max(0, imagesBefore - contents.images.count)
    }
}

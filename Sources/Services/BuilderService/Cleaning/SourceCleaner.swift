import FoundationEssentials
import Logging
import Metrics
import ObjectStorage

/// Removes source bundles that no build needs any more: the image is made, or the build is over, or it was never
/// opened.
///
/// The controller says which are needed; nothing is removed unless it has answered. A bundle younger than the grace may
/// belong to a push whose record is only being opened.
struct SourceCleaner: Sendable {
    static let prefix = "sources/"

    let store: any ObjectStore
    let controller: ControllerClient
    let grace: Duration
    let logger: Logger
    private let bytes = Gauge(label: "builder.sources.bytes")
    private let removed = Counter(label: "builder.sources.removed")
    private let failed = Counter(label: "builder.sources.failures")

    init(store: any ObjectStore, controller: ControllerClient, grace: Duration, logger: Logger) {
        self.store = store
        self.controller = controller
        self.grace = grace
        self.logger = logger
    }

    /// Never throws but for cancellation: what failed is tried again at the next turn.
    func clean() async throws {
        do {
            var (left, count) = (0, 0)
            var after: ObjectKey?
            repeat {
                let page = try await store.list(prefix: Self.prefix, after: after, limit: 500)
                let gone = try await remove(unneeded(page.objects))
                left += page.objects.reduce(0) { gone.contains($1.key) ? $0 : $0 + $1.size }
                count += gone.count
                after = page.next
            } while after != nil
            bytes.record(left)
            if count > 0 { logger.info("Source bundles removed", metadata: ["count": "\(count)"]) }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            failed.increment()
            logger.warning("Source bundles not cleaned", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    private func unneeded(_ objects: [ObjectMetadata]) async throws -> [ObjectKey] {
        let now = Date()
        let old = objects.filter { Duration.seconds(now.timeIntervalSince($0.modified)) >= grace }.map(\.key)
        guard !old.isEmpty else { return [] }
        let needed = try await controller.neededSources(among: old.map(\.description))
        return old.filter { !needed.contains($0.description) }
    }

    private func remove(_ keys: [ObjectKey]) async throws -> Set<ObjectKey> {
        for key in keys {
            try await store.delete(key)
            removed.increment()
        }
        return Set(keys)
    }
}

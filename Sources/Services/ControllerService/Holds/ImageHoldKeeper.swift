import ConcurrencyPrimitives
import Logging
import Metrics
import OCIRegistry
import PlatformModel
import Postgres
import ServiceLifecycle
import TaskOutbox

/// Has the registry keep the images of releases, so that each can be rolled back to, and let them go with their app.
///
/// Works beside deploys, never in their way: a release is marked once its images are held, and a registry that is away
/// is asked again until it answers. Now and then all releases are compared with what the registry holds, which finds
/// holds that were lost with a registry's disk or are left over.
struct ImageHoldKeeper: Service {
    let pool: PostgresPool
    let notifications: PostgresNotifications
    let holder: WorkerIdentity
    let registry: RegistryImages
    let logger: Logger
    private let store = HoldStore()
    private let missing = Counter(label: "controller.images.missing")

    /// One worker at a time tells the registry.
    private static let leaseKey = "image-holds"
    private static let batch = 100
    /// Time between comparisons of everything.
    private static let reviewPeriod = Duration.seconds(3600)
    private static let pauses = Backoff(initial: .milliseconds(500), limit: .seconds(60))

    init(
        pool: PostgresPool, notifications: PostgresNotifications, holder: WorkerIdentity, registry: RegistryImages,
        logger: Logger
    ) {
        self.pool = pool
        self.notifications = notifications
        self.holder = holder
        self.registry = registry
        self.logger = logger
    }

    func run() async throws {
        let wakes = BoundedChannel<Void>(limit: 1)
        // Cut off at any point the work is found again: only what the registry has confirmed is written down.
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in notifications.listen(HoldStore.channel) {
                        // A full channel already holds a wake-up.
                        _ = wakes.trySend(())
                    }
                    wakes.finish()
                }
                group.addTask { await tick(wakes) }
                await follow(wakes)
                group.cancelAll()
            }
        }
    }

    private func tick(_ wakes: BoundedChannel<Void>) async {
        do {
            while true {
                // An announcement is lost while the database connection is; workers do not all look at one moment.
                try await Task.sleep(for: .seconds(60) * Double.random(in: 0.8...1.2))
                _ = wakes.trySend(())
            }
        } catch {
            // Only cancellation ends the sleep.
        }
    }

    private func follow(_ wakes: BoundedChannel<Void>) async {
        var pauses = Self.pauses.makeIterator()
        var nextReview = ContinuousClock.now
        do {
            for try await _ in wakes {
                do {
                    let isReviewDue = ContinuousClock.now >= nextReview
                    try await settle(reviewing: isReviewDue)
                    if isReviewDue { nextReview = .now + Self.reviewPeriod * Double.random(in: 0.8...1.2) }
                    pauses = Self.pauses.makeIterator()
                } catch let error as CancellationError {
                    throw error
                } catch {
                    if !(error is LeaseHeld) {
                        logger.warning(
                            "Images of releases wait to be held", metadata: ["error": "\(String(reflecting: error))"])
                    }
                    // A registry that is away tells nobody when it is back.
                    try await Task.sleep(for: pauses.next() ?? .seconds(60))
                    _ = wakes.trySend(())
                }
            }
        } catch {
            // The process is stopping.
        }
    }

    /// Tells the registry what it was not told yet; with `reviewing` also compares everything.
    ///
    /// - Throws: ``LeaseHeld`` when another worker is at it, and whatever keeps registry or database from answering.
    func settle(reviewing: Bool = false) async throws {
        if !reviewing, try await store.isSettled(in: pool) { return }
        try await LeaseStore(pool: pool).withLease(Self.leaseKey, holder: holder.text) { _ in
            while case let releases = try await store.unheld(limit: Self.batch, in: pool), !releases.isEmpty {
                for release in releases {
                    try await hold(release)
                    try await store.markHeld(release.uuid, in: pool)
                }
            }
            for images in try await store.abandoned(in: pool) {
                try await letGo(of: images.app)
                try await store.forget(images, in: pool)
            }
            guard reviewing else { return }
            for app in try await store.apps(in: pool) { try await compare(app) }
        }
    }

    private func hold(_ release: HeldRelease) async throws {
        let digests = release.digests(at: registry.host)
        guard !digests.isEmpty else { return }
        let repository = try registry.repository(of: release.app)
        for digest in digests where try await !repository.place(digest, for: release.holder) {
            missing.increment()
            logger.warning(
                "An image of a release is not in the registry",
                metadata: ["app": "\(release.app)", "release": "\(release.version)", "digest": "\(digest)"])
        }
    }

    /// Lets the images of a destroyed app go: nobody holds them any more, and no tag leads to them.
    ///
    /// A new app of the name keeps what its releases need. What was pushed for it meanwhile stays too: releases name
    /// images by their digest, and the registry keeps an image without a tag for a while.
    private func letGo(of app: AppName) async throws {
        try await compare(app)
        let repository = try registry.repository(of: app)
        let tags = try await repository.tags()
        let needed = Set(try await store.releases(of: app, in: pool).flatMap { $0.tags(at: registry.host) })
        for tag in tags where !needed.contains(tag) {
            guard try await repository.remove(tag) else {
                logger.notice("The registry deletes nothing; images stay", metadata: ["app": "\(app)"])
                return
            }
        }
    }

    /// Makes the registry hold exactly what the releases of an app need.
    private func compare(_ app: AppName) async throws {
        let repository = try registry.repository(of: app)
        // Before the rows are read: a hold seen here was placed for a release that is seen there, if it still exists.
        let held = try await repository.holders()
        let releases = try await store.releases(of: app, in: pool)
        var needed: [ImageDigest: Set<String>] = [:]
        for release in releases {
            for digest in release.digests(at: registry.host) { needed[digest, default: []].insert(release.holder) }
        }
        for (digest, holders) in needed {
            for holder in holders.subtracting(held[digest] ?? []) {
                // One that is not there was told of when its release was made.
                _ = try await repository.place(digest, for: holder)
            }
        }
        for (digest, holders) in held {
            for holder in holders.subtracting(needed[digest] ?? []) where HeldRelease.isRelease(holder) {
                try await repository.end(digest, for: holder)
            }
        }
    }
}

import ConcurrencyPrimitives
import Postgres
import Synchronization
import TaskOutbox

/// Lets one worker at a time at an app, and the others wait in line instead of trying again later.
///
/// Within this process those who wait follow one another at once. Another process is waited for by its lease: until it
/// announces the release, until the lease expires, or until its holder turns out to be dead.
///
/// Whoever gets a turn reads all rows, so one that waits stands for everybody who comes meanwhile: a task that finds
/// another task waiting is done. That other is settled only once its turn went well, so nothing is lost.
struct AppTurns: Sendable {
    /// On whose behalf a turn is taken.
    enum Visit: Sendable {
        /// A task of the broker, which must not be forgotten.
        case task
        /// A look at what runs, which will come again.
        case look
    }

    let leases: LeaseStore
    let notifications: PostgresNotifications
    let holder: WorkerIdentity
    /// How long another process is waited for before the caller is sent away.
    let patience: Duration
    private let line = KeyedQueue<String>()
    private let waiting = WaitingTasks()

    /// Renewed every third of it; long enough for a database that is busy, short enough for a worker that is lost.
    private static let leaseTime = Duration.seconds(15)

    init(
        leases: LeaseStore, notifications: PostgresNotifications, holder: WorkerIdentity,
        patience: Duration = .seconds(30)
    ) {
        self.leases = leases
        self.notifications = notifications
        self.holder = holder
        self.patience = patience
    }

    /// Runs `body` with the fencing number of its turn, unless a task that waits will do the same.
    ///
    /// - Throws: ``LeaseHeld`` when another process is still at it after the time one waits.
    func withTurn(
        _ key: String, for visit: Visit, _ body: @escaping @Sendable (_ fence: Int) async throws -> Void
    ) async throws {
        guard visit == .task else {
            if hasWaitingTask(key) { return }
            return try await take(key, body)
        }
        guard waiting.add(key) else { return }
        let ticket = Once { waiting.remove(key) }
        defer { ticket.run() }
        try await take(key) { fence in
            ticket.run()
            try await body(fence)
        }
    }

    /// Whether a task waits for its turn.
    func hasWaitingTask(_ key: String) -> Bool { waiting.contains(key) }

    private func take(_ key: String, _ body: @escaping @Sendable (_ fence: Int) async throws -> Void) async throws {
        try await line.withKey(key) {
            let end = ContinuousClock.now + patience
            while true {
                do {
                    return try await leases.withLease(key, holder: holder.text, for: Self.leaseTime, body)
                } catch let error as LeaseHeld where error.key == key {
                    guard ContinuousClock.now < end else { throw error }
                    try await awaitRelease(of: key)
                }
            }
        }
    }

    /// Returns when the lease may be free.
    private func awaitRelease(of key: String) async throws {
        let releases = notifications.listen(LeaseStore.releases)
        guard let held = try await leases.current(key) else { return }
        guard !holder.knowsToBeDead(held.holder) else { return try await leases.end(key, of: held.holder) }
        do {
            // A release between the look and the first notification is found by the next look.
            try await withDeadline(min(held.remaining, .seconds(1)) + .milliseconds(10)) {
                for await event in releases where event == .message(payload: key) { return }
            }
        } catch is DeadlineExceeded {
            // The next attempt tells.
        }
    }
}

/// The turns a task waits for, at most one task each.
private final class WaitingTasks: Sendable {
    private let keys = Mutex<Set<String>>([])

    func contains(_ key: String) -> Bool { keys.withLock { $0.contains(key) } }

    /// - Returns: false when a task waits already.
    func add(_ key: String) -> Bool { keys.withLock { $0.insert(key).inserted } }

    func remove(_ key: String) { keys.withLock { _ = $0.remove(key) } }
}

/// Runs something the first time it is asked to.
private final class Once: Sendable {
    private let hasRun = Mutex(false)
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func run() {
        let isFirst = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        if isFirst { body() }
    }
}

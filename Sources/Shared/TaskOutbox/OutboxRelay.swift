import ConcurrencyPrimitives
package import Logging
import Metrics
package import Postgres
import ServiceLifecycle

/// Carries committed tasks from the outbox to the broker.
///
/// Woken by the database's notification; a sweep at an interval catches what a lost connection hid. Several relays may
/// run at once. A task is published at least once and in order of its number, unless the broker refuses one.
package struct OutboxRelay: Service {
    private let pool: PostgresPool
    private let notifications: PostgresNotifications
    private let publish: @Sendable (OutboxMessage) async throws -> Void
    private let logger: Logger
    private let batchSize: Int
    private let sweep: Duration
    private let published = Counter(label: "outbox.published")
    private let refused = Counter(label: "outbox.refused")

    /// - Parameters:
    ///   - sweep: time between looks when nothing is announced.
    ///   - publish: returns once the broker has confirmed the task.
    package init(
        pool: PostgresPool, notifications: PostgresNotifications, logger: Logger, batchSize: Int = 64,
        sweep: Duration = .seconds(15), publish: @escaping @Sendable (OutboxMessage) async throws -> Void
    ) {
        self.pool = pool
        self.notifications = notifications
        self.publish = publish
        self.logger = logger
        self.batchSize = batchSize
        self.sweep = sweep
    }

    package func run() async throws {
        let wakes = BoundedChannel<Void>(limit: 1)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in notifications.listen(Outbox.channel).cancelOnGracefulShutdown() {
                    // A full channel already holds a wake-up.
                    _ = wakes.trySend(())
                }
                wakes.finish()
            }
            group.addTask { await tick(wakes) }
            await drainOnWake(wakes)
            group.cancelAll()
        }
    }

    private func tick(_ wakes: BoundedChannel<Void>) async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: sweep * Double.random(in: 0.8...1.2))
            } catch {
                return
            }
            _ = wakes.trySend(())
        }
    }

    private func drainOnWake(_ wakes: BoundedChannel<Void>) async {
        var pauses = Backoff(initial: .milliseconds(100), limit: .seconds(5)).makeIterator()
        do {
            for try await _ in wakes {
                if await drain() {
                    pauses = Backoff(initial: .milliseconds(100), limit: .seconds(5)).makeIterator()
                } else {
                    try await Task.sleep(for: pauses.next() ?? .seconds(5))
                    _ = wakes.trySend(())
                }
            }
        } catch {
            // Only cancellation ends the sleep; the messages stay in the table.
        }
    }

    /// Publishes until the outbox is empty.
    ///
    /// - Returns: false when the database or the broker refused and the rest should be tried later.
    private func drain() async -> Bool {
        while !Task.isCancelled {
            do {
                let (count, failed) = try await drainOnce()
                if failed { return false }
                if count < batchSize { return true }
            } catch {
                logger.warning("Outbox waits for the database", metadata: ["error": "\(String(reflecting: error))"])
                return false
            }
        }
        return true
    }

    private func drainOnce() async throws -> (count: Int, failed: Bool) {
        let outcome = RelayOutcome()
        let count = try await pool.withTransaction { transaction in
            try await Outbox().relay(limit: batchSize, in: transaction) { messages in
                await send(messages, outcome)
            }
        }
        published.increment(by: count)
        return (count, outcome.hasFailed)
    }

    /// Publishes a batch side by side; the connection pipelines the confirms.
    private func send(_ messages: [OutboxMessage], _ outcome: RelayOutcome) async -> [Bool] {
        await withTaskGroup(of: (Int, Bool).self) { group in
            for (index, message) in messages.enumerated() {
                group.addTask { (index, await send(message)) }
            }
            var accepted = [Bool](repeating: false, count: messages.count)
            for await (index, isAccepted) in group { accepted[index] = isAccepted }
            if accepted.contains(false) { outcome.fail() }
            return accepted
        }
    }

    private func send(_ message: OutboxMessage) async -> Bool {
        do {
            try await publish(message)
            return true
        } catch is CancellationError {
            return false
        } catch {
            refused.increment()
            logger.warning(
                "Task waits for the broker",
                metadata: ["task": "\(message.id)", "name": "\(message.name)", "error": "\(String(reflecting: error))"])
            return false
        }
    }
}

import ConcurrencyPrimitives
import FoundationEssentials
package import Postgres

/// Somebody else holds the lease; try again when it ends.
package struct LeaseHeld: Error, Equatable {
    package let key: String

    package init(key: String) { self.key = key }
}

/// The lease ended under its holder, who must not go on.
package struct LeaseLost: Error, Equatable {
    package let key: String

    package init(key: String) { self.key = key }
}

/// Leases on named things, by the database's clock, with fencing numbers.
///
/// A fence grows with every acquisition of its key and never repeats, so whoever receives work can refuse a holder that
/// was overtaken (Kleppmann, "How to do distributed locking", 2016).
package struct LeaseStore: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Takes the lease if it is free or has expired.
    ///
    /// - Returns: the fence, or nil when somebody holds it.
    package func acquire(_ key: String, holder: String, for time: Duration) async throws(PostgresError) -> Int? {
        let rows = try await pool.query(
            """
            INSERT INTO leases (key, holder, fence, expires)
            VALUES (\(key), \(holder), 1, now() + make_interval(secs => \(time.inSeconds)))
            ON CONFLICT (key) DO UPDATE
                SET holder = excluded.holder, fence = leases.fence + 1, expires = excluded.expires
            WHERE leases.expires <= now()
            RETURNING fence
            """)
        guard let row = rows.first else { return nil }
        return try row.decode("fence")
    }

    /// - Returns: false when the lease belongs to another fence or has expired.
    package func renew(_ key: String, fence: Int, for time: Duration) async throws(PostgresError) -> Bool {
        try await pool.execute(
            """
            UPDATE leases SET expires = now() + make_interval(secs => \(time.inSeconds))
            WHERE key = \(key) AND fence = \(fence) AND expires > now()
            """) == 1
    }

    /// Announces that a lease has been released before its time; the payload is its key.
    package static let releases = "lease_releases"

    /// Frees the lease at once; does nothing for a holder that was overtaken.
    package func release(_ key: String, fence: Int) async throws(PostgresError) {
        _ = try await pool.query(
            """
            WITH freed AS (UPDATE leases SET expires = now() WHERE key = \(key) AND fence = \(fence) RETURNING key)
            SELECT pg_notify(\(Self.releases), key) FROM freed
            """)
    }

    /// Who holds the lease and for how much longer; nil when it is free.
    package func current(_ key: String) async throws(PostgresError) -> (holder: String, remaining: Duration)? {
        let rows = try await pool.query(
            """
            SELECT holder, extract(epoch FROM expires - now())::float8 AS remaining
            FROM leases WHERE key = \(key) AND expires > now()
            """)
        guard let row = rows.first else { return nil }
        return (try row.decode("holder"), .seconds(try row.decode("remaining", as: Double.self)))
    }

    /// Ends the lease of a holder that is known to be dead; does nothing when somebody else has it by now.
    package func end(_ key: String, of holder: String) async throws(PostgresError) {
        try await pool.execute("UPDATE leases SET expires = now() WHERE key = \(key) AND holder = \(holder)")
    }

    /// Runs `body` while holding the lease and renewing it; cancels the body when the lease is lost.
    ///
    /// - Throws: ``LeaseHeld`` when another holds it, ``LeaseLost`` when it ended meanwhile, or what the body throws.
    package func withLease<Value: Sendable>(
        _ key: String, holder: String, for time: Duration = .seconds(30),
        _ body: @escaping @Sendable (_ fence: Int) async throws -> Value
    ) async throws -> Value {
        guard let fence = try await acquire(key, holder: holder, for: time) else { throw LeaseHeld(key: key) }
        let result: Result<Value, any Error>
        do {
            result = .success(
                try await withThrowingTaskGroup(of: Value?.self) { group in
                    group.addTask { try await body(fence) }
                    group.addTask {
                        try await keep(key, fence: fence, for: time)
                        return nil
                    }
                    defer { group.cancelAll() }
                    guard let value = try await group.next() ?? nil else { throw LeaseLost(key: key) }
                    return value
                })
        } catch {
            result = .failure(error)
        }
        do throws(PostgresError) {
            try await release(key, fence: fence)
        } catch {
            // Unreachable database: the lease ends by itself at its expiry.
        }
        return try result.get()
    }

    /// Renews until cancelled or lost. A database that does not answer loses the lease only once its time is over.
    private func keep(_ key: String, fence: Int, for time: Duration) async throws {
        var end = ContinuousClock.now + time
        while true {
            try await Task.sleep(for: time / 3)
            do throws(PostgresError) {
                guard try await renew(key, fence: fence, for: time) else { return }
                end = ContinuousClock.now + time
            } catch {
                guard ContinuousClock.now < end else { return }
            }
        }
    }
}

extension Duration {
    fileprivate var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

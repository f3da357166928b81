import FoundationEssentials
import OpenSSLCrypto
import Postgres

/// How often something may happen: `burst` times at once, then once per `interval`.
struct Limit: Sendable, Hashable {
    /// Whose actions are counted together.
    enum Subject: Sendable, Hashable {
        case address(String)
        case client(String)
    }

    let bucket: String
    let burst: Int
    let interval: TimeInterval

    /// Names are hashed: they come from outside, in any length.
    private init(_ kind: String, _ subject: String, burst: Int, interval: TimeInterval) {
        bucket = "\(kind):\(Base64URL.encode(SHA256Digest.hash(subject).prefix(16)))"
        self.burst = burst
        self.interval = interval
    }

    static func signInByAccount(_ username: String) -> Limit {
        Limit("account", username.lowercased(), burst: 10, interval: 30)
    }

    static func signIn(from subject: Subject) -> Limit {
        switch subject {
        case .address(let address): Limit("address", address, burst: 30, interval: 5)
        case .client(let id): Limit("client", id, burst: 200, interval: 0.2)
        }
    }

    static func registration(from address: String) -> Limit {
        Limit("register", address, burst: 20, interval: 60)
    }
}

/// Counts in the database, so that all replicas count together.
///
/// One row per subject holds the moment at which its allowance is full again (the generic cell rate algorithm).
struct RateLimiter: Sendable {
    let pool: PostgresPool
    let now: CurrentTime

    /// Takes one from the allowance.
    /// - Returns: nil when it was granted, else the whole seconds until the next will be.
    func take(_ limit: Limit) async throws -> Int? {
        let time = now()
        let ceiling = time.addingTimeInterval(Double(limit.burst) * limit.interval)
        let first = time.addingTimeInterval(limit.interval)
        let step = "\(limit.interval) seconds"
        let granted = try await pool.query(
            """
            INSERT INTO rate_limits AS held (bucket, full_at) VALUES (\(limit.bucket), \(first))
            ON CONFLICT (bucket) DO UPDATE
                SET full_at = greatest(held.full_at, \(time)::timestamptz) + \(step)::interval
            WHERE greatest(held.full_at, \(time)::timestamptz) + \(step)::interval <= \(ceiling)::timestamptz
            RETURNING full_at
            """)
        if !granted.isEmpty { return nil }
        let rows = try await pool.query("SELECT full_at FROM rate_limits WHERE bucket = \(limit.bucket)")
        let fullAt = try rows.first?.decode("full_at", as: Date.self) ?? time
        return max(1, Int((fullAt.timeIntervalSince(ceiling) + limit.interval).rounded(.up)))
    }

    /// Gives the whole allowance back.
    func reset(_ limit: Limit) async throws {
        try await pool.execute("DELETE FROM rate_limits WHERE bucket = \(limit.bucket)")
    }
}

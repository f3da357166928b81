import FoundationEssentials
import Logging
import Metrics
import OpenSSLCrypto
import Postgres

/// Checks names and passwords.
///
/// Every attempt is counted before anything is looked at, by account and by address; an unknown account costs the time
/// of a known one, and every refusal looks the same.
struct Authenticator: Sendable {
    /// What an attempt came to.
    enum Outcome: Sendable, Equatable {
        case accepted(User)
        case refused
        /// Too many attempts; the next is allowed after so many seconds.
        case limited(retryAfter: Int)
        /// Too many passwords are being checked at this moment.
        case busy
    }

    private let pool: PostgresPool
    private let users = UserStore()
    private let hash: PasswordHash
    private let limiter: RateLimiter
    private let now: CurrentTime
    private let accepted = Counter(label: "passport.sign_in", dimensions: [("outcome", "accepted")])
    private let refused = Counter(label: "passport.sign_in", dimensions: [("outcome", "refused")])
    private let limited = Counter(label: "passport.sign_in", dimensions: [("outcome", "limited")])
    private let busy = Counter(label: "passport.sign_in", dimensions: [("outcome", "busy")])

    init(pool: PostgresPool, hash: PasswordHash, limiter: RateLimiter, now: @escaping CurrentTime) {
        self.pool = pool
        self.hash = hash
        self.limiter = limiter
        self.now = now
    }

    /// - Parameter origin: whose attempts are counted together: an address, or a client that speaks for many people.
    func authenticate(username: String, password: String, origin: Limit.Subject) async throws -> Outcome {
        let account = Limit.signInByAccount(username)
        for limit in [Limit.signIn(from: origin), account] {
            if let wait = try await limiter.take(limit) {
                limited.increment()
                return .limited(retryAfter: wait)
            }
        }
        do {
            guard let user = try await check(username: username, password: password) else {
                refused.increment()
                return .refused
            }
            try await limiter.reset(account)
            try await users.recordSignIn(of: user.id, at: now(), in: pool)
            accepted.increment()
            return .accepted(user)
        } catch let error as CryptoError where error.code == .busy {
            busy.increment()
            return .busy
        }
    }

    /// A record of a new password.
    func record(of password: String) async throws -> String { try await hash.create(password) }

    private func check(username: String, password: String) async throws -> User? {
        guard username.utf8.count <= 150, password.utf8.count <= 1024, !username.utf8.contains(0),
            let (user, record) = try await users.credentials(username: username, in: pool)
        else {
            try await hash.verifyNothing(String(password.prefix(1024)))
            return nil
        }
        guard try await hash.verify(password, record: record), user.isActive else { return nil }
        if hash.needsRenewal(record) {
            try await users.setPassword(try await hash.create(password), of: user.id, in: pool)
        }
        return user
    }
}

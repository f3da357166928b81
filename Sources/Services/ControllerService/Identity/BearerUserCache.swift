import AccessTokens
import FoundationEssentials
import Synchronization

/// Remembers who a bearer token speaks for, so that not every request asks the provider.
final class BearerUserCache: Sendable {
    private struct Entry {
        let user: User
        let until: Date
    }

    private static let limit = 10_000

    private let lifetime: TimeInterval
    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameter lifetime: seconds an answer is believed, at most as long as the token lives.
    init(lifetime: TimeInterval) { self.lifetime = lifetime }

    func user(for token: VerifiedToken, now: Date = Date()) -> User? {
        entries.withLock { entries in entries[token.tokenID].flatMap { $0.until > now ? $0.user : nil } }
    }

    func keep(_ user: User, for token: VerifiedToken, now: Date = Date()) {
        let until = min(token.expires, now.addingTimeInterval(lifetime))
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = entries.filter { $0.value.until > now } }
            if entries.count >= Self.limit { entries = [:] }
            entries[token.tokenID] = Entry(user: user, until: until)
        }
    }
}

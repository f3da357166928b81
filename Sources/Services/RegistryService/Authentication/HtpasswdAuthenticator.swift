import ConcurrencyPrimitives
import OpenSSLCrypto
import ServiceRuntime
import Synchronization

/// Accepts the users of an htpasswd file with bcrypt hashes; every user may do everything.
///
/// A bcrypt check costs tens of milliseconds, so a success is remembered for a minute under a keyed hash of the
/// credentials. Unknown users are compared with a hash as well, so that the time taken does not tell who exists.
final class HtpasswdAuthenticator: Authenticator {
    private static let cacheTime = Duration.seconds(60)
    private static let cacheLimit = 1024

    private let hashes: [String: String]
    private let decoy: String
    private let key = SecureRandom.bytes(32)
    private let threads = BlockingThreads(label: "registry-passwords", count: 2, queueLimit: 256)
    private let accepted = Mutex<[[UInt8]: ContinuousClock.Instant]>([:])

    /// Reads `user:hash` lines; empty lines and those starting with `#` are skipped.
    init(text: String) throws {
        var hashes: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, BcryptHash.isWellFormed(String(parts[1])) else {
                throw ConfigurationError(problems: [
                    "REGISTRY_AUTH names a file with a line that is not user:bcrypt-hash (htpasswd -B makes them)"
                ])
            }
            hashes[String(parts[0])] = String(parts[1])
        }
        guard let any = hashes.values.first else {
            throw ConfigurationError(problems: ["REGISTRY_AUTH names a file without users"])
        }
        self.hashes = hashes
        decoy = any
    }

    func authenticate(_ authorization: String?) async throws -> AccessGrant {
        guard let authorization else { throw AuthenticationProblem.missing }
        if let known = recall(authorization) { return known }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        // What is not base64 is as wrong as a wrong password.
        guard parts.count == 2, parts[0].lowercased() == "basic", let bytes = try? Base64.decode(parts[1]) else {
            throw AuthenticationProblem.invalid
        }
        let credentials = String(decoding: bytes, as: UTF8.self).split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard credentials.count == 2 else { throw AuthenticationProblem.invalid }
        let hash = hashes[String(credentials[0])]
        let isRight = try await threads.run { [decoy, password = String(credentials[1])] in
            BcryptHash.matches(password, hash ?? decoy)
        }
        guard isRight, hash != nil else { throw AuthenticationProblem.invalid }
        remember(authorization)
        return .everything
    }

    func recall(_ authorization: String?) -> AccessGrant? {
        guard let authorization else { return nil }
        let mark = HMACSHA256.authenticate(authorization, key: key)
        let isFresh = accepted.withLock { $0[mark].map { ContinuousClock.now - $0 < Self.cacheTime } ?? false }
        return isFresh ? .everything : nil
    }

    func challenge(_ needed: [ResourceAccess], after problem: AuthenticationProblem) -> String {
        "Basic realm=\"registry\", charset=\"UTF-8\""
    }

    private func remember(_ authorization: String) {
        let mark = HMACSHA256.authenticate(authorization, key: key)
        accepted.withLock { marks in
            let now = ContinuousClock.now
            if marks.count >= Self.cacheLimit { marks = marks.filter { now - $0.value < Self.cacheTime } }
            if marks.count < Self.cacheLimit { marks[mark] = now }
        }
    }
}

package import CurlTransfer
import FoundationEssentials
import HTTPTypes
package import Logging
package import OpenSSLCrypto

/// An issuer's keys from its JWKS document, kept in memory.
///
/// Fetches once at first need, again when the keys are older than `maximumAge`, and when a token names an unknown key,
/// the last at most once per `minimumInterval` so that forged tokens cannot make it hammer the issuer. While the issuer
/// is away, known keys go on being used. Concurrent callers share one fetch.
package actor RemoteKeySource: VerificationKeySource {
    /// When to fetch.
    package struct Policy: Sendable {
        package var maximumAge: Duration = .seconds(3600)
        package var minimumInterval: Duration = .seconds(10)
        /// The pause after a fetch that failed.
        package var retryInterval: Duration = .seconds(1)
        package var timeout: Duration = .seconds(5)

        package init() {}
    }

    private static let documentByteLimit = 256 * 1024

    private let url: String
    private let client: HTTPClient
    private let policy: Policy
    private let logger: Logger?
    private let now: @Sendable () -> ContinuousClock.Instant
    private var known: (keys: VerificationKeys, fetched: ContinuousClock.Instant)?
    private var lastAttempt: (time: ContinuousClock.Instant, succeeded: Bool)?
    private var fetch: Task<VerificationKeys, any Error>?

    /// A source that has not fetched anything yet.
    package init(
        url: String, client: HTTPClient, policy: Policy = Policy(), logger: Logger? = nil,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.url = url
        self.client = client
        self.policy = policy
        self.logger = logger
        self.now = now
    }

    package func keys(including keyID: String?) async throws(TokenError) -> VerificationKeys {
        if let known, isFresh(known.fetched), keyID.map(known.keys.keyIDs.contains) ?? true { return known.keys }
        if fetch != nil || mayFetch() {
            do {
                return try await fetchShared()
            } catch {
                logger?.warning("Signing keys cannot be fetched", metadata: ["error": "\(String(reflecting: error))"])
            }
        }
        guard let known else {
            throw TokenError(.keysUnavailable, "The issuer's keys cannot be fetched.")
        }
        return known.keys
    }

    private func isFresh(_ time: ContinuousClock.Instant) -> Bool { time.duration(to: now()) < policy.maximumAge }

    private func mayFetch() -> Bool {
        guard let lastAttempt else { return true }
        let pause = lastAttempt.succeeded ? policy.minimumInterval : policy.retryInterval
        return lastAttempt.time.duration(to: now()) >= pause
    }

    private func fetchShared() async throws -> VerificationKeys {
        if let fetch { return try await fetch.value }
        // Awaited right below and by every caller that comes meanwhile; bounded by the request's timeout. It is a task
        // of its own so that one caller's cancellation does not fail the others.
        let task = Task { try await Self.load(url, client: client, timeout: policy.timeout) }
        fetch = task
        let result = await task.result
        fetch = nil
        switch result {
        case .success(let keys):
            lastAttempt = (now(), true)
            known = (keys, now())
            return keys
        case .failure(let error):
            lastAttempt = (now(), false)
            throw error
        }
    }

    private static func load(_ url: String, client: HTTPClient, timeout: Duration) async throws -> VerificationKeys {
        let request = TransferRequest(url: url, headers: [.accept: "application/json"], timeout: timeout)
        let response = try await client.send(request, limit: documentByteLimit).requireSuccess()
        let document = try response.decode(KeySetDocument.self)
        return await VerificationKeys(document.keys)
    }
}

/// A JWKS document (RFC 7517 section 5).
package struct KeySetDocument: Sendable, Codable {
    /// The published keys.
    package var keys: [JSONWebKey]

    /// A document of these keys.
    package init(keys: [JSONWebKey]) { self.keys = keys }
}

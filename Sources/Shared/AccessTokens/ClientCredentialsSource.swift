package import CurlTransfer
import FoundationEssentials
import HTTPTypes
import OpenSSLCrypto
package import PlatformModel

/// This process's own access token, obtained with its client id and secret and kept until shortly before its end.
///
/// Concurrent callers share one request.
/// When the token endpoint is away, a token that is still good goes on being used.
package actor ClientCredentialsSource {
    private struct Held {
        let token: String
        let renewAt: ContinuousClock.Instant
        let expires: ContinuousClock.Instant
    }

    /// The pause after a failed renewal while the old token is still good.
    private static let retryInterval: Duration = .seconds(2)
    private static let requestTimeout: Duration = .seconds(10)

    private let tokenURL: String
    private let id: String
    private let secret: Secret
    private let scopes: ScopeSet
    private let client: HTTPClient
    private let now: @Sendable () -> ContinuousClock.Instant
    private var held: Held?
    private var request: Task<Held, any Error>?

    /// A source that asks for its first token at the first call.
    package init(
        tokenURL: String, id: String, secret: Secret, scopes: ScopeSet, client: HTTPClient,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.tokenURL = tokenURL
        self.id = id
        self.secret = secret
        self.scopes = scopes
        self.client = client
        self.now = now
    }

    /// A token good for at least a little while.
    /// - Throws: ``TokenError`` with `.refused` when the endpoint knows us not, or a `TransferError` when it is away.
    package func token() async throws -> String {
        if let held, now() < held.renewAt { return held.token }
        do {
            return try await renewShared().token
        } catch {
            guard let held, now() < held.expires else { throw error }
            self.held = Held(token: held.token, renewAt: now() + Self.retryInterval, expires: held.expires)
            return held.token
        }
    }

    /// Forgets `token`, after a service refused it, so that the next call asks for a new one.
    package func invalidate(_ token: String) {
        if held?.token == token { held = nil }
    }

    private func renewShared() async throws -> Held {
        if let request { return try await request.value }
        // Awaited right below and by every caller that comes meanwhile; bounded by the request's timeout. It is a task
        // of its own so that one caller's cancellation does not fail the others.
        let task = Task { try await obtain() }
        request = task
        let result = await task.result
        request = nil
        let fresh = try result.get()
        held = fresh
        return fresh
    }

    private func obtain() async throws -> Held {
        let credentials = Base64.encode("\(FormCoding.encode(id)):\(FormCoding.encode(secret.reveal()))".utf8)
        let body = FormCoding.encode([("grant_type", "client_credentials"), ("scope", scopes.description)])
        let start = now()
        let response = try await client.send(
            TransferRequest(
                method: .post, url: tokenURL,
                headers: [
                    .authorization: "Basic \(credentials)", .contentType: "application/x-www-form-urlencoded",
                    .accept: "application/json",
                ],
                body: .bytes(Array(body.utf8)), timeout: Self.requestTimeout))
        if response.status == 400 || response.status == 401 {
            throw TokenError(.refused, "The token endpoint refuses client \(id): check its id, secret and scopes.")
        }
        let reply = try response.requireSuccess().decode(TokenReply.self)
        let lifetime = Duration.seconds(max(1, reply.lifetime))
        let margin = min(.seconds(60), lifetime / 5)
        return Held(token: reply.token, renewAt: start + lifetime - margin, expires: start + lifetime)
    }
}

/// The part of a token response a client needs (RFC 6749 section 5.1).
private struct TokenReply: Decodable {
    let token: String
    let lifetime: Int

    private enum CodingKeys: String, CodingKey {
        case token = "access_token"
        case lifetime = "expires_in"
    }
}

import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import OpenSSLCrypto
import ServiceHTTP
import Synchronization

/// An issuer in the test process, on a real socket.
final class Issuer: Sendable {
    struct State {
        var keys: KeySetDocument
        var isAway = false
        var keyRequests = 0
        var tokenRequests = 0
        var lifetime = 3600
        var lastAuthorization: String?
        var lastBody = ""
    }

    let state: Mutex<State>

    init(keys: KeySetDocument = KeySetDocument(keys: [])) { state = Mutex(State(keys: keys)) }

    /// Runs `body` with the base URL of the running issuer.
    func run(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        let router = Router()
        router.get("/jwks.json") { [self] _, _ in
            let (isAway, keys) = state.withLock { state in
                state.keyRequests += 1
                return (state.isAway, state.keys)
            }
            guard !isAway else { throw HTTPError(.serviceUnavailable) }
            return try Self.json(keys)
        }
        router.post("/token/") { [self] request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 10_000))
            let (isAway, count, lifetime) = state.withLock { state in
                state.tokenRequests += 1
                state.lastAuthorization = request.headers[.authorization]
                state.lastBody = text
                return (state.isAway, state.tokenRequests, state.lifetime)
            }
            guard !isAway else { throw HTTPError(.serviceUnavailable) }
            guard !text.contains("forbidden") else { throw HTTPError(.badRequest) }
            return try Self.json(Reply(accessToken: "token-\(count)", expiresIn: lifetime))
        }
        try await Application(router: router, server: .plain()).test(.live) { client in
            guard let port = client.port else { throw CancellationError() }
            try await body("http://127.0.0.1:\(port)")
        }
    }

    private struct Reply: Encodable {
        let accessToken: String
        let expiresIn: Int

        private enum CodingKeys: String, CodingKey {
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }

    private static func json(_ value: some Encodable) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try JSONEncoder().encode(value))))
    }
}

/// A monotonic time that moves when a test says so.
final class MovableInstant: Sendable {
    private let current = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { current.withLock { $0 } }

    func advance(by duration: Duration) { current.withLock { $0 += duration } }
}

/// Claims that a verifier of these tests accepts, to be spoiled one by one.
func goodClaims(at time: Date = Date()) -> AccessTokenClaims {
    AccessTokenClaims(
        issuer: "https://issuer.test/oauth", subject: "7", clientID: "controller", scope: ["openid", "profile"],
        audience: "workflow", issuedAt: time, lifetime: .seconds(600), tokenID: "id-1", sessionID: "session-1")
}

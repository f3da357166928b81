import AccessTokens
import CurlTransfer
import PlatformModel
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct ClientCredentialsTests {
    private let client: HTTPClient

    init() throws { client = try HTTPClient() }

    private func source(
        _ base: String, _ time: MovableInstant, scopes: ScopeSet = ["controller:hook"]
    ) -> ClientCredentialsSource {
        ClientCredentialsSource(
            tokenURL: base + "/token/", id: "builder", secret: Secret("s:c+r et"), scopes: scopes, client: client,
            now: { time.now })
    }

    @Test func oneRequestServesManyCallersUntilShortlyBeforeTheEnd() async throws {
        let issuer = Issuer()
        let time = MovableInstant()
        try await issuer.run { base in
            let source = source(base, time)
            let tokens = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<30 { group.addTask { try await source.token() } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(tokens == ["token-1"])
            time.advance(by: .seconds(3530))
            #expect(try await source.token() == "token-1")
            time.advance(by: .seconds(15))
            #expect(try await source.token() == "token-2")
            let (header, body) = issuer.state.withLock { ($0.lastAuthorization, $0.lastBody) }
            #expect(header == "Basic YnVpbGRlcjpzJTNBYyUyQnIrZXQ=")
            #expect(body == "grant_type=client_credentials&scope=controller%3Ahook")
        }
    }

    @Test func aTokenThatIsStillGoodBridgesTheIssuersAbsence() async throws {
        let issuer = Issuer()
        let time = MovableInstant()
        try await issuer.run { base in
            let source = source(base, time)
            _ = try await source.token()
            issuer.state.withLock { $0.isAway = true }
            time.advance(by: .seconds(3550))
            #expect(try await source.token() == "token-1")
            #expect(try await source.token() == "token-1")
            #expect(issuer.state.withLock { $0.tokenRequests } == 2)
            time.advance(by: .seconds(60))
            await #expect(throws: TransferError.self) { try await source.token() }
            issuer.state.withLock { $0.isAway = false }
            #expect(try await source.token() == "token-4")
        }
    }

    @Test func aTokenThatWasRefusedIsReplaced() async throws {
        let issuer = Issuer()
        try await issuer.run { base in
            let source = source(base, MovableInstant())
            let first = try await source.token()
            await source.invalidate("another")
            #expect(try await source.token() == first)
            await source.invalidate(first)
            #expect(try await source.token() == "token-2")
        }
    }

    @Test func aClientTheIssuerKnowsNotIsTold() async throws {
        let issuer = Issuer()
        try await issuer.run { base in
            let source = source(base, MovableInstant(), scopes: ["forbidden"])
            await #expect(throws: TokenError(.refused, "")) { try await source.token() }
        }
    }
}

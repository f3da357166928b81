import AccessTokens
import CurlTransfer
import FoundationEssentials
import OpenSSLCrypto
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct RemoteKeySourceTests {
    private let client: HTTPClient

    init() throws { client = try HTTPClient() }

    @Test func manyCallersShareOneFetch() async throws {
        let keys = try await SigningKeys.generate()
        let issuer = Issuer(keys: keys.document)
        try await issuer.run { [client] base in
            let verifier = AccessTokenVerifier(
                jwksURL: base + "/jwks.json", issuer: "https://issuer.test/oauth", client: client)
            let token = try keys.accessToken(goodClaims())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 { group.addTask { _ = try await verifier.verify(token) } }
                try await group.waitForAll()
            }
            #expect(issuer.state.withLock { $0.keyRequests } == 1)
        }
    }

    @Test func aNewKeyIsFoundAndForgedOnesDoNotHammerTheIssuer() async throws {
        let old = try await SigningKeys.generate()
        let new = try await SigningKeys.generate()
        let issuer = Issuer(keys: old.document)
        let time = MovableInstant()
        try await issuer.run { [client] base in
            let source = RemoteKeySource(url: base + "/jwks.json", client: client, now: { time.now })
            let verifier = AccessTokenVerifier(keys: source, issuer: "https://issuer.test/oauth")
            _ = try await verifier.verify(try old.accessToken(goodClaims()))
            issuer.state.withLock { $0.keys.keys += new.document.keys }
            for _ in 0..<10 {
                await #expect(throws: TokenError(.unknownKey, "")) {
                    try await verifier.verify(try new.accessToken(goodClaims()))
                }
            }
            #expect(issuer.state.withLock { $0.keyRequests } == 1)
            time.advance(by: .seconds(11))
            _ = try await verifier.verify(try new.accessToken(goodClaims()))
            _ = try await verifier.verify(try old.accessToken(goodClaims()))
            #expect(issuer.state.withLock { $0.keyRequests } == 2)
        }
    }

    @Test func knownKeysOutliveTheIssuersAbsence() async throws {
        let keys = try await SigningKeys.generate()
        let issuer = Issuer(keys: keys.document)
        let time = MovableInstant()
        try await issuer.run { [client] base in
            let source = RemoteKeySource(url: base + "/jwks.json", client: client, now: { time.now })
            let verifier = AccessTokenVerifier(keys: source, issuer: "https://issuer.test/oauth")
            let token = try keys.accessToken(goodClaims())
            _ = try await verifier.verify(token)
            issuer.state.withLock { $0.isAway = true }
            time.advance(by: .seconds(7200))
            _ = try await verifier.verify(token)
            _ = try await verifier.verify(token)
            #expect(issuer.state.withLock { $0.keyRequests } == 2)
        }
    }

    @Test func withoutAnyKeysNothingIsSaidAboutTheToken() async throws {
        let keys = try await SigningKeys.generate()
        let issuer = Issuer(keys: keys.document)
        let time = MovableInstant()
        try await issuer.run { [client] base in
            issuer.state.withLock { $0.isAway = true }
            let source = RemoteKeySource(url: base + "/jwks.json", client: client, now: { time.now })
            let verifier = AccessTokenVerifier(keys: source, issuer: "https://issuer.test/oauth")
            let token = try keys.accessToken(goodClaims())
            for _ in 0..<3 {
                await #expect(throws: TokenError(.keysUnavailable, "")) { try await verifier.verify(token) }
            }
            #expect(issuer.state.withLock { $0.keyRequests } == 1)
            issuer.state.withLock { $0.isAway = false }
            time.advance(by: .seconds(2))
            _ = try await verifier.verify(token)
        }
    }
}

import AccessTokens
import FoundationEssentials
import HTTPTypes
import HummingbirdTesting
import JWTKit
import NIOCore
import OpenSSLCrypto
import PlatformModel
import TestSupport
import Testing

@testable import PassportService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct KeyRotationTests {
    private func rotate(_ site: PassportSite, isImmediate: Bool) async throws -> [String] {
        let store = SigningKeyStore(box: try AESGCMBox(key: [UInt8](repeating: 0, count: 32)))
        let rotation = KeyRotation(lifetimes: Lifetimes(), isImmediate: isImmediate, at: site.time.now)
        return try await store.rotate(
            at: rotation.time, signsFrom: rotation.signsFrom, publishedUntil: rotation.publishedUntil, in: site.pool)
    }

    private func document(_ site: PassportSite) async throws -> KeySetDocument {
        let response = try await site.client.executeRequest(
            uri: "/oauth/.well-known/jwks.json", method: .get, headers: [:], body: nil)
        #expect(response.headers[.accessControlAllowOrigin] == "*")
        return try JSONDecoder().decode(KeySetDocument.self, from: Data(response.body.readableBytesView))
    }

    @Test func newKeysArePublishedFirstAndOldOnesAfterwards() async throws {
        try await withPassport { site async throws in
            let builder = TestApplication(site: site, id: "builder", secret: "builder-secret-012345")
            func token() async throws -> String {
                try await builder.call("/oauth/token/", ["grant_type": "client_credentials"]).json.text("access_token")
            }
            func verify(_ token: String, with document: KeySetDocument) async throws -> VerifiedToken {
                let keys = FixedKeySource(await VerificationKeys(document.keys))
                return try await AccessTokenVerifier(keys: keys, issuer: PassportSite.issuer, now: { site.time.now })
                    .verify(token)
            }
            let first = try await document(site)
            let old = try await token()
            #expect(try await verify(old, with: first).subject == "builder")
            let ids = try await rotate(site, isImmediate: false)
            try await site.keyRing.reload()
            let during = try await document(site)
            #expect(Set(during.keys.compactMap(\.keyID)).isSuperset(of: ids) && during.keys.count == 4)
            #expect(try await verify(try await token(), with: first).subject == "builder")
            site.time.advance(by: 700)
            try await site.keyRing.reload()
            let fresh = try await token()
            #expect(try await verify(fresh, with: during).subject == "builder")
            await #expect(throws: TokenError.self) { try await verify(fresh, with: first) }
            #expect(try await verify(old, with: document(site)).subject == "builder")
            site.time.advance(by: 3700)
            try await site.keyRing.reload()
            #expect(try await document(site).keys.count == 2)
        }
    }

    @Test func replicasThatStartTogetherMakeOneSetOfKeys() async throws {
        try await withPassportDatabase { url in
            let time = MovableTime()
            let sets = try await withThrowingTaskGroup(of: Set<String>.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        let found = Captured<Set<String>>([])
                        try await withReplica(url: url, time: time) { site async throws in
                            found.set(Set(site.keyRing.keys.keys.map(\.id)))
                        }
                        return found.get()
                    }
                }
                return try await group.reduce(into: [Set<String>]()) { $0.append($1) }
            }
            #expect(Set(sets).count == 1 && sets[0].count == 2)
        }
    }

    /// A verifier that shares no code with the signer accepts both kinds of token.
    @Test func anIndependentLibraryVerifiesTheTokens() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let tokens = try await application.call(
                "/oauth/token/", ["grant_type": "password", "username": "ada", "password": PassportSite.password]
            ).json
            let response = try await site.client.executeRequest(
                uri: "/oauth/.well-known/jwks.json", method: .get, headers: [:], body: nil)
            let keys = try await JWTKeyCollection().add(jwksJSON: String(buffer: response.body))
            let access = try await keys.verify(try tokens.text("access_token"), as: LibraryPayload.self)
            let identity = try await keys.verify(try tokens.text("id_token"), as: LibraryPayload.self)
            #expect(access.aud == "workflow" && identity.aud == "controller")
            #expect(access.iss == PassportSite.issuer && access.sub == identity.sub)
        }
    }

    @Test func theMetadataNamesWhatIsThere() async throws {
        try await withPassport { site async throws in
            for path in ["/oauth/.well-known/openid-configuration/", "/.well-known/oauth-authorization-server/oauth"] {
                let response = try await site.client.executeRequest(uri: path, method: .get, headers: [:], body: nil)
                let metadata = try JSONDecoder().decode(
                    ProviderMetadata.self, from: Data(response.body.readableBytesView))
                #expect(metadata.issuer == PassportSite.issuer)
                #expect(metadata.challengeMethods == ["S256"])
                #expect(metadata.responseTypes == ["code"])
                #expect(metadata.tokenEndpoint == "http://passport.example.test/oauth/token/")
            }
        }
    }

    @Test func aWrongPlatformKeyStopsTheStart() async throws {
        try await withPassportDatabase { url in
            let time = MovableTime()
            try await withReplica(url: url, time: time) { _ in }
            await #expect(throws: CryptoError.self) {
                try await withReplica(
                    url: url, time: time, variables: ["PLATFORM_KEY": Base64.encode([UInt8](repeating: 1, count: 32))]
                ) { _ in }
            }
        }
    }
}

private struct LibraryPayload: JWTPayload {
    let iss: String
    let sub: String
    let aud: String

    func verify(using algorithm: some JWTAlgorithm) {}
}

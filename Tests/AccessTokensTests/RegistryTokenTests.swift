import AccessTokens
import FoundationEssentials
import OpenSSLCrypto
import PlatformModel
import Testing

@Suite struct RegistryTokenTests {
    private let time = Date(timeIntervalSince1970: 1_800_000_000)
    private let access = [RegistryAccess(name: "shop/shop", actions: ["pull", "push"])]

    private func issuer(_ pair: KeyPair) async throws -> RegistryTokenIssuer {
        let time = time
        return try await RegistryTokenIssuer(privateKeyPEM: Secret(pair.privatePEM()), now: { time })
    }

    private func verifier(
        _ pem: String, service: String = "workflow-registry", later: TimeInterval = 0
    ) async throws -> RegistryTokenVerifier {
        let time = time.addingTimeInterval(later)
        return try await RegistryTokenVerifier(
            publicKeysPEM: pem, issuer: "workflow-controller", service: service, now: { time })
    }

    @Test func theRegistryReadsWhatTheControllerSigned() async throws {
        let pair = try KeyPair.generate(.es256)
        let older = try KeyPair.generate(.es256)
        let token = try await issuer(pair).token(
            subject: "ada", service: "workflow-registry", access: access
        ).token.reveal()
        let both = older.publicKey.pem + pair.publicKey.pem
        let claims = try await verifier(both).verify(token)
        #expect(claims.subject == "ada" && claims.access == access)
        await #expect(throws: TokenError(.unknownKey, "")) {
            try await verifier(older.publicKey.pem).verify(token)
        }
        await #expect(throws: TokenError(.wrongAudience, "")) {
            try await verifier(both, service: "other").verify(token)
        }
        await #expect(throws: TokenError(.expired, "")) { try await verifier(both, later: 331).verify(token) }
        await #expect(throws: TokenError(.notYetValid, "")) { try await verifier(both, later: -31).verify(token) }
    }

    @Test func aGrantIsNoTokenAndATokenIsNoGrant() async throws {
        let pair = try KeyPair.generate(.es256)
        let issuer = try await issuer(pair)
        let grant = try issuer.grant(subject: "build 7", access: access, lifetime: .seconds(1800)).reveal()
        let read = try await issuer.verifyGrant(grant)
        #expect(read.subject == "build 7" && read.access == access)
        #expect(read.expires == time.addingTimeInterval(1800))
        await #expect(throws: TokenError(.wrongAudience, "")) {
            try await verifier(pair.publicKey.pem).verify(grant)
        }
        let token = try issuer.token(subject: "x", service: "workflow-registry", access: access).token.reveal()
        await #expect(throws: TokenError(.wrongAudience, "")) { try await issuer.verifyGrant(token) }
    }

    @Test(arguments: [
        ("repository:shop/shop:pull,push", RegistryAccess(name: "shop/shop", actions: ["pull", "push"])),
        ("registry:catalog:*", RegistryAccess(type: "registry", name: "catalog", actions: ["*"])),
        ("repository:localhost:5000/a:pull", RegistryAccess(name: "localhost:5000/a", actions: ["pull"])),
        ("repository:a:", RegistryAccess(name: "a", actions: [])), ("repository:a", nil), ("::", nil), ("", nil),
    ])
    func scopesAreParsed(text: String, expected: RegistryAccess?) {
        #expect(RegistryAccess(scope: text) == expected)
    }

    @Test func rightsAreCutToTheUpperBound() {
        let wanted = [
            RegistryAccess(name: "shop/shop", actions: ["pull", "push", "delete"]),
            RegistryAccess(name: "other/other", actions: ["pull"]),
        ]
        #expect(RegistryAccess.intersection(wanted, with: access) == access)
        let all = [RegistryAccess(name: "other/other", actions: ["*"])]
        #expect(RegistryAccess.intersection(wanted, with: all) == [wanted[1]])
        #expect(RegistryAccess.intersection(wanted, with: []).isEmpty)
    }
}

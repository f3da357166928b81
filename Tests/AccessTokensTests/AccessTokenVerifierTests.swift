import AccessTokens
import FoundationEssentials
import OpenSSLCrypto
import Testing

@Suite struct AccessTokenVerifierTests {
    private let time = Date(timeIntervalSince1970: 1_800_000_000)

    private func verifier(_ keys: SigningKeys) -> AccessTokenVerifier {
        let time = time
        return AccessTokenVerifier(keys: keys, issuer: "https://issuer.test/oauth", now: { time })
    }

    private func code(of token: String, _ keys: SigningKeys) async -> TokenError.Code? {
        do throws(TokenError) {
            _ = try await verifier(keys).verify(token)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func aGoodTokenIsReadWhole() async throws {
        let keys = try await SigningKeys.generate()
        let token = try await verifier(keys).verify(try keys.accessToken(goodClaims(at: time)))
        #expect(token.subject == "7" && token.userID == 7 && !token.isClientToken)
        #expect(token.clientID == "controller")
        #expect(token.scopes == ["profile", "openid"])
        #expect(token.expires == time.addingTimeInterval(600))
        #expect(token.tokenID == "id-1" && token.sessionID == "session-1")
    }

    @Test func wrongClaimsAreNamed() async throws {
        let keys = try await SigningKeys.generate()
        func code(_ change: (inout AccessTokenClaims) -> Void) async throws -> TokenError.Code? {
            var claims = goodClaims(at: time)
            change(&claims)
            return await self.code(of: try keys.accessToken(claims), keys)
        }
        #expect(try await code { _ in } == nil)
        #expect(try await code { $0.issuer = "https://issuer.test/oauth/" } == .wrongIssuer)
        #expect(try await code { $0.audience = "other" } == .wrongAudience)
        #expect(try await code { $0.audience = AudienceList(["other", "workflow"]) } == nil)
        #expect(try await code { $0.audience = AudienceList([]) } == .wrongAudience)
        #expect(try await code { $0.expires = time.timeIntervalSince1970 - 29 } == nil)
        #expect(try await code { $0.expires = time.timeIntervalSince1970 - 31 } == .expired)
        #expect(try await code { $0.issuedAt = time.timeIntervalSince1970 + 29 } == nil)
        #expect(try await code { $0.issuedAt = time.timeIntervalSince1970 + 31 } == .notYetValid)
    }

    @Test func tokensForOtherPurposesAreRefused() async throws {
        let keys = try await SigningKeys.generate()
        let signer = try keys.signer(.es256)
        #expect(await code(of: try signer.sign(goodClaims(at: time), type: "JWT"), keys) == .wrongType)
        #expect(await code(of: try signer.sign(goodClaims(at: time), type: "application/at+jwt"), keys) == nil)
        let other = try await SigningKeys.generate()
        #expect(await code(of: try other.accessToken(goodClaims(at: time)), keys) == .unknownKey)
    }

    @Test func everyChangedCharacterIsNoticed() async throws {
        let keys = try await SigningKeys.generate()
        let token = Array(try keys.accessToken(goodClaims(at: time)).utf8)
        for index in stride(from: 0, to: token.count - 1, by: 7) {
            var changed = token
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(await code(of: String(decoding: changed, as: UTF8.self), keys) != nil)
        }
    }

    @Test(arguments: ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "eyJhbGciOiJub25lIn0.e30.", "é.é.é"])
    func whatIsNoTokenIsMalformed(text: String) async throws {
        let keys = try await SigningKeys.generate()
        let code = await code(of: text, keys)
        #expect(code == .malformed || code == .wrongType)
        #expect(await self.code(of: String(repeating: "a.", count: 20_000), keys) == .malformed)
    }

    /// The header of a token chooses nothing: neither no algorithm, nor a symmetric one keyed with the public key, nor
    /// another kind than the key has.
    @Test(arguments: ["none", "HS256", "RS256", "ES384", "es256"])
    func theAlgorithmComesFromTheKey(algorithm: String) async throws {
        let keys = try await SigningKeys.generate()
        let key = try keys.signer(.es256)
        let header = "{\"alg\":\"\(algorithm)\",\"kid\":\"\(key.id)\",\"typ\":\"at+jwt\"}"
        let claims = try JSONEncoder().encode(goodClaims(at: time))
        let content = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims)
        let code = Base64URL.encode(HMACSHA256.authenticate(content, key: Array(try #require(key.publicKey.x).utf8)))
        #expect(await self.code(of: content + "." + code, keys) == .badSignature)
        #expect(await self.code(of: content + ".", keys) == .badSignature)
    }

    @Test func criticalExtensionsAreRefused() async throws {
        let keys = try await SigningKeys.generate()
        let key = try keys.signer(.es256)
        let header = "{\"alg\":\"ES256\",\"kid\":\"\(key.id)\",\"typ\":\"at+jwt\",\"crit\":[\"x\"]}"
        #expect(await code(of: Base64URL.encode(header.utf8) + ".e30.AAAA", keys) == .malformed)
    }

    @Test func damagedAndForeignKeysOfADocumentAreLeftOut() async throws {
        let keys = try await SigningKeys.generate([.es256, .rs256])
        var document = keys.document
        document.keys.append(JSONWebKey(keyType: "oct"))
        var damaged = document.keys[0]
        damaged.x = "AAAA"
        damaged.keyID = "damaged"
        document.keys.append(damaged)
        var encryption = document.keys[0]
        encryption.use = "enc"
        encryption.keyID = "encryption"
        document.keys.append(encryption)
        let verification = await VerificationKeys(document.keys)
        #expect(verification.keyIDs.isSuperset(of: keys.keys.map(\.id)))
        #expect(!verification.keyIDs.contains("encryption"))
        let token = try keys.accessToken(goodClaims(at: time))
        let now = time
        let verifier = AccessTokenVerifier(
            keys: FixedKeySource(verification), issuer: "https://issuer.test/oauth", now: { now })
        #expect(try await verifier.verify(token).subject == "7")
    }
}

import Testing

@testable import OpenSSLCrypto

@Suite struct KeyTests {
    @Test(arguments: KeyAlgorithm.allCases)
    func aSignatureIsValidForItsMessageOnly(algorithm: KeyAlgorithm) throws {
        let key = try KeyPair.generate(algorithm)
        let signature = try key.sign("message".utf8)
        #expect(key.publicKey.isValid(signature, for: "message".utf8))
        #expect(!key.publicKey.isValid(signature, for: "massage".utf8))
        #expect(!key.publicKey.isValid(Array(signature.dropLast()), for: "message".utf8))
        #expect(!key.publicKey.isValid([], for: "message".utf8))
        var changed = signature
        changed[0] ^= 0x80
        #expect(!key.publicKey.isValid(changed, for: "message".utf8))
        #expect(try !KeyPair.generate(algorithm).publicKey.isValid(signature, for: "message".utf8))
    }

    @Test(arguments: KeyAlgorithm.allCases)
    func pemTextComesBack(algorithm: KeyAlgorithm) throws {
        let key = try KeyPair.generate(algorithm)
        let text = try key.privatePEM()
        #expect(text.hasPrefix("-----BEGIN PRIVATE KEY-----"))
        let again = try KeyPair(pem: text)
        #expect(again.publicKey == key.publicKey)
        #expect(again.algorithm == algorithm)
        #expect(try PublicKey(pem: key.publicKey.pem) == key.publicKey)
        #expect(key.publicKey.pem.hasPrefix("-----BEGIN PUBLIC KEY-----"))
    }

    @Test func elliptic256SignaturesHaveTheFixedForm() throws {
        let key = try KeyPair.generate(.es256)
        for index in 0..<200 {
            let signature = try key.sign("message \(index)".utf8)
            #expect(signature.count == 64)
            #expect(key.publicKey.isValid(signature, for: "message \(index)".utf8))
        }
    }

    @Test func severalPublicKeysOfOneTextAreRead() throws {
        let keys = try (0..<3).map { _ in try KeyPair.generate(.es256).publicKey }
        #expect(try PublicKey.all(inPEM: keys.map(\.pem).joined(separator: "\n")) == keys)
        #expect(throws: CryptoError.self) { try PublicKey.all(inPEM: "") }
        let damaged = keys[0].pem + keys[1].pem.replacing("MFk", with: "AAA")
        #expect(throws: CryptoError.self) { try PublicKey.all(inPEM: damaged) }
    }

    @Test func foreignKeysAreRefused() throws {
        #expect(throws: CryptoError.self) { try KeyPair(pem: "no key") }
        #expect(throws: CryptoError.self) { try PublicKey(pem: KeyPair.generate(.es256).privatePEM()) }
        // A P-384 key, made by `openssl ecparam -name secp384r1 -genkey | openssl pkey -pubout`.
        let other = """
            -----BEGIN PUBLIC KEY-----
            MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEYICrWTvrJ3buIYbaSCdcRdYU2wzVcxyV
            wlysJTvShmo6k5GWh2YFOI7N7n0kQQiv3hsWHfOKwU5Lmrf+XE6EPp3aYsxM6gTz
            rgM6AXX/EC9r2z7F0bdJOaM9j5/5TNmV
            -----END PUBLIC KEY-----
            """
        #expect(throws: CryptoError.self) { try PublicKey(pem: other) }
        #expect(throws: CryptoError.self) { try KeyPair.generate(.rs256, rsaBits: 1024) }
    }

    @Test func printingAKeyShowsNoSecret() throws {
        let key = try KeyPair.generate(.es256)
        #expect("\(key)" == "KeyPair(ES256)")
        #expect(!String(reflecting: key).contains("BEGIN"))
    }

    /// The key and thumbprint of RFC 7638 section 3.1.
    @Test func thumbprintOfTheStandardExample() {
        let modulus = """
            0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
            ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
            KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
            xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw
            """
        var key = JSONWebKey(keyType: "RSA")
        key.modulus = modulus
        key.exponent = "AQAB"
        key.algorithm = "RS256"
        key.keyID = "2011-04-29"
        #expect(key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    }

    @Test func webKeysHaveTheMembersOfTheirKind() throws {
        let elliptic = try KeyPair.generate(.es256).publicKey.jwk()
        #expect(elliptic.keyType == "EC" && elliptic.curve == "P-256" && elliptic.algorithm == "ES256")
        #expect(try Base64URL.decode(try #require(elliptic.x)).count == 32)
        #expect(elliptic.keyID == elliptic.thumbprint)
        let rsa = try KeyPair.generate(.rs256).publicKey.jwk()
        #expect(rsa.exponent == "AQAB")
        #expect(try Base64URL.decode(try #require(rsa.modulus)).count == 256)
        let edwards = try KeyPair.generate(.ed25519).publicKey.jwk()
        #expect(edwards.keyType == "OKP" && edwards.y == nil)
    }
}

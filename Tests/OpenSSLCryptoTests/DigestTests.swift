import Testing

@testable import OpenSSLCrypto

@Suite struct DigestTests {
    @Test func knownDigestsOfAShortText() {
        #expect(SHA256Digest.hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SHA1Digest.hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(MD5Digest.hex("abc") == "900150983cd24fb0d6963f7d28e17f72")
        #expect(
            SHA384Digest.hex("abc")
                == "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")
        #expect(SHA512Digest.hex("abc").hasPrefix("ddaf35a193617abacc417349ae204131"))
        #expect(SHA512Digest.hash("abc").count == SHA512Algorithm.byteCount)
    }

    @Test func emptyInputHasItsDigest() {
        #expect(SHA256Digest.hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(SHA256Digest.hash([UInt8]()) == SHA256Digest().finalize())
    }

    @Test func piecesGiveTheDigestOfTheWhole() {
        let whole = [UInt8](0...255) + [UInt8](0...255)
        let digest = SHA256Digest()
        digest.update(whole[..<100])
        digest.update(whole[100..<300].span.bytes)
        digest.update(whole[300...].lazy.map { $0 })
        #expect(digest.finalize() == SHA256Digest.hash(whole))
    }

    @Test func finishingDoesNotEndTheDigest() {
        let digest = SHA256Digest()
        digest.update("ab")
        let early = digest.hexDigest()
        #expect(early == digest.hexDigest())
        digest.update("c")
        #expect(digest.hexDigest() == SHA256Digest.hex("abc"))
        #expect(early == SHA256Digest.hex("ab"))
    }

    @Test func copiesGoTheirOwnWays() {
        let first = SHA256Digest()
        first.update("a")
        let second = first.copy()
        first.update("b")
        second.update("c")
        #expect(first.hexDigest() == SHA256Digest.hex("ab"))
        #expect(second.hexDigest() == SHA256Digest.hex("ac"))
    }

    /// RFC 4231, cases 1 and 2, and an empty key.
    @Test func hmacOfTheStandardVectors() {
        let first = HMACSHA256.authenticate("Hi There", key: [UInt8](repeating: 0x0b, count: 20))
        #expect(Hex.encode(first) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let second = HMACSHA256.authenticate("what do ya want for nothing?", key: Array("Jefe".utf8))
        #expect(Hex.encode(second) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let empty = HMACSHA256.authenticate("", key: [UInt8]())
        #expect(Hex.encode(empty) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
        #expect(HMACSHA256.isValid(second, for: "what do ya want for nothing?".utf8, key: "Jefe".utf8))
        #expect(!HMACSHA256.isValid(first, for: "what do ya want for nothing?".utf8, key: "Jefe".utf8))
    }

    @Test func constantTimeComparisonAgreesWithEquality() {
        #expect(constantTimeEquals("token", "token"))
        #expect(!constantTimeEquals("token", "tokem"))
        #expect(!constantTimeEquals("token", "token2"))
        #expect(constantTimeEquals([UInt8](), [UInt8]()))
    }
}

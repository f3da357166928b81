import Testing

@testable import OpenSSLCrypto

@Suite struct AESGCMBoxTests {
    private let key = SecureRandom.bytes(32)

    @Test func sealedTextComesBack() throws {
        let box = try AESGCMBox(key: key)
        let sealed = try box.seal("s3cret", associated: "row 7")
        #expect(try box.openText(sealed, associated: "row 7") == "s3cret")
        #expect(sealed.count == 6 + AESGCMBox.overhead)
        #expect(try box.open(box.seal([UInt8]())) == [])
    }

    @Test func sealingTwiceGivesDifferentBytes() throws {
        let box = try AESGCMBox(key: key)
        #expect(try box.seal("same") != box.seal("same"))
    }

    /// NIST's test case 14 of the GCM specification.
    @Test func theCipherAgreesWithTheStandard() throws {
        let zeros = [UInt8](repeating: 0, count: 32)
        let sealed = try AESGCM.seal(
            zeros.prefix(16), key: zeros, nonce: Array(zeros.prefix(12)), associated: [])
        #expect(Hex.encode(sealed) == "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    }

    @Test func everyChangedByteIsNoticed() throws {
        let box = try AESGCMBox(key: key)
        let sealed = try box.seal("value", associated: "row")
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: CryptoError.self) { try box.openText(changed, associated: "row") }
        }
        for count in 0..<sealed.count {
            #expect(throws: CryptoError.self) { try box.openText(sealed.prefix(count), associated: "row") }
        }
    }

    @Test func aValueMovedToAnotherRowIsRefused() throws {
        let box = try AESGCMBox(key: key)
        let sealed = try box.seal("value", associated: "row 1")
        let error = #expect(throws: CryptoError.self) { try box.openText(sealed, associated: "row 2") }
        #expect(error?.code == .authenticationFailed)
    }

    @Test func retiredKeysOpenButDoNotSeal() throws {
        let old = try AESGCMBox(key: key)
        let sealed = try old.seal("value")
        let rotated = try AESGCMBox(key: SecureRandom.bytes(32), retired: [key])
        #expect(try rotated.openText(sealed) == "value")
        #expect(!rotated.isCurrent(sealed))
        #expect(try rotated.isCurrent(rotated.seal("value")))
        let stranger = try AESGCMBox(key: SecureRandom.bytes(32))
        let error = #expect(throws: CryptoError.self) { try stranger.open(sealed) }
        #expect(error?.code == .badKey)
    }

    @Test func keysOfOtherLengthsAreRefused() throws {
        #expect(throws: CryptoError.self) { try AESGCMBox(key: []) }
        #expect(throws: CryptoError.self) { try AESGCMBox(base64Key: "AAAA") }
        #expect(try AESGCMBox(base64Key: Base64.encode(key)).keyID.utf8.count == 8)
    }

    @Test func errorsSayNothingSpecific() throws {
        let error = #expect(throws: CryptoError.self) { try AESGCMBox(base64Key: "secret!") }
        #expect("\(try #require(error))" == "cryptographic operation failed (badEncoding)")
    }
}

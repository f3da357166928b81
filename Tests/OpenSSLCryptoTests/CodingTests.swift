import Testing

@testable import OpenSSLCrypto

@Suite struct CodingTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64OfTheStandardVectors(plain: String, text: String) throws {
        #expect(Base64.encode(plain.utf8) == text)
        #expect(try Base64.decode(text) == Array(plain.utf8))
        let unpadded = text.filter { $0 != "=" }
        #expect(Base64URL.encode(plain.utf8) == unpadded)
        #expect(try Base64URL.decode(unpadded) == Array(plain.utf8))
        #expect(try Base64URL.decode(text) == Array(plain.utf8))
    }

    @Test func alphabetsDifferInTwoCharacters() throws {
        let bytes: [UInt8] = [0xFB, 0xEF, 0xFF]
        #expect(Base64.encode(bytes) == "++//")
        #expect(Base64URL.encode(bytes) == "--__")
        #expect(throws: CryptoError.self) { try Base64.decode("--__") }
        #expect(throws: CryptoError.self) { try Base64URL.decode("++//") }
    }

    @Test(arguments: ["Z", "Zm9vY", "Zg=", "Zg===", "Z===", "Zm9v=", "Zh==", "Zm 9v", "Zm9v\n", "=", "Zm=v", "é"])
    func damagedBase64IsRefused(text: String) {
        #expect(throws: CryptoError.self) { try Base64.decode(text) }
    }

    @Test func everyLengthComesBack() throws {
        for count in 0..<70 {
            let bytes = SecureRandom.bytes(count)
            #expect(try Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(try Base64URL.decode(Base64URL.encode(bytes)) == bytes)
            #expect(try Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test func hexadecimalReadsBothCases() throws {
        #expect(try Hex.decode("00fFA9") == [0x00, 0xFF, 0xA9])
        #expect(Hex.encode([0x00, 0xFF, 0xA9]) == "00ffa9")
        #expect(throws: CryptoError.self) { try Hex.decode("abc") }
        #expect(throws: CryptoError.self) { try Hex.decode("zz") }
    }

    @Test func randomTextsHaveTheirFormAndDiffer() {
        #expect(SecureRandom.hex(16).utf8.count == 32)
        #expect(SecureRandom.base64URL(32).utf8.count == 43)
        #expect(SecureRandom.bytes(0).isEmpty)
        #expect(Set((0..<200).map { _ in SecureRandom.hex(8) }).count == 200)
        let text = SecureRandom.text(500, from: "abc")
        #expect(text.utf8.count == 500)
        #expect(Set(text) == ["a", "b", "c"])
    }
}

/// Base64 with the standard alphabet (RFC 4648 section 4).
package enum Base64 {
    /// The padded text of the bytes.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Base64Alphabet.standard.encode(bytes, padded: true)
    }

    /// The bytes of a text, with or without padding.
    package static func decode(_ text: some StringProtocol) throws(CryptoError) -> [UInt8] {
        try Base64Alphabet.standard.decode(text)
    }
}

/// Base64 with the alphabet that is safe in URLs (RFC 4648 section 5), as tokens use it.
package enum Base64URL {
    /// The text of the bytes without padding.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Base64Alphabet.urlSafe.encode(bytes, padded: false)
    }

    /// The bytes of a text, with or without padding.
    package static func decode(_ text: some StringProtocol) throws(CryptoError) -> [UInt8] {
        try Base64Alphabet.urlSafe.decode(text)
    }
}

/// The two alphabets, with one encoder and one strict decoder.
struct Base64Alphabet: Sendable {
    static let standard = Base64Alphabet(tail: "+/")
    static let urlSafe = Base64Alphabet(tail: "-_")

    private static let invalid: UInt8 = 0xFF
    private let letters: [UInt8]
    private let values: [UInt8]

    private init(tail: String) {
        letters = Array(("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + tail).utf8)
        var table = [UInt8](repeating: Self.invalid, count: 256)
        for (index, letter) in letters.enumerated() { table[Int(letter)] = UInt8(index) }
        values = table
    }

    func encode(_ bytes: some Sequence<UInt8>, padded: Bool) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.underestimatedCount + 2) / 3 * 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                text.append(letters[Int(bits >> UInt32(bitCount)) & 63])
            }
            bits &= 0xFF
        }
        if bitCount > 0 { text.append(letters[Int(bits << UInt32(6 - bitCount)) & 63]) }
        while padded && text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Accepts whole or missing padding; refuses foreign characters, impossible lengths and stray bits, so that one
    /// value has one text.
    func decode(_ text: some StringProtocol) throws(CryptoError) -> [UInt8] {
        var body = Array(text.utf8)
        var padding = 0
        while body.last == UInt8(ascii: "=") && padding < 2 {
            body.removeLast()
            padding += 1
        }
        guard body.count % 4 != 1, padding == 0 || (body.count + padding) % 4 == 0 else {
            throw CryptoError(.badEncoding, "base64 text has an impossible length")
        }
        var result: [UInt8] = []
        result.reserveCapacity(body.count * 3 / 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for character in body {
            let value = values[Int(character)]
            guard value != Self.invalid else { throw CryptoError(.badEncoding, "a character is not base64") }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
                bits &= (1 << UInt32(bitCount)) - 1
            }
        }
        guard bits == 0 else { throw CryptoError(.badEncoding, "base64 text has stray bits at its end") }
        return result
    }
}

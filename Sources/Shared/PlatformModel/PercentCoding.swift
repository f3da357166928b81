/// Percent-encoding (RFC 3986, 2.1).
package enum PercentCoding {
    /// The text with every byte escaped that is not unreserved: letters, digits and `-._~` stay.
    ///
    /// - Parameter kept: further characters to leave as they are, such as the slashes of a path.
    package static func encode(_ text: String, keeping kept: String = "") -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) || kept.utf8.contains(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The text with `%XX` replaced; nil when an escape is broken or the result is not UTF-8.
    ///
    /// - Parameter plus: what a plus sign stands for; a space in forms.
    package static func decode(_ text: String, plus: Character = "+") -> String? { decode(text[...], plus: plus) }

    /// The text with `%XX` replaced; nil when an escape is broken or the result is not UTF-8.
    ///
    /// - Parameter plus: what a plus sign stands for; a space in forms.
    package static func decode(_ text: Substring, plus: Character = "+") -> String? {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): result += plus.utf8
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(value), let low = rest.popFirst().flatMap(value) else {
                    return nil
                }
                result.append(high << 4 | low)
            default: result.append(byte)
            }
        }
        return String(validating: result, as: UTF8.self)
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        Character(UnicodeScalar(digit)).hexDigitValue.map { UInt8($0) }
    }
}

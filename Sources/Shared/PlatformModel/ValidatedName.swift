/// A string that has passed the rules of its type and travels as one JSON string.
package protocol ValidatedName: Codable, Hashable, Sendable, Comparable, CustomStringConvertible {
    var text: String { get }

    /// - Throws: ``InvalidValue`` with a message for the person who sent the text.
    init(_ text: String) throws(InvalidValue)
}

extension ValidatedName {
    package var description: String { text }

    /// Nil for a text that breaks the rules, where only that matters.
    package init?(ifValid text: String) {
        do throws(InvalidValue) {
            try self.init(text)
        } catch {
            return nil
        }
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        try self.init(text)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// Character classes shared by the name rules; ASCII only, so that host names and paths stay unambiguous.
enum NameRule {
    static func isLowercase(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") }
    static func isLetter(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "A") && isLowercase(byte | 0x20) }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    static func isHyphen(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") }
    static func isLowercaseOrDigit(_ byte: UInt8) -> Bool { isLowercase(byte) || isDigit(byte) }

    /// `^[a-z0-9]+(\-[a-z0-9]+)*$`: no leading, trailing or doubled hyphen.
    static func isHyphenated(_ text: String) -> Bool {
        var previousWasHyphen = true
        for byte in text.utf8 {
            if isHyphen(byte) {
                if previousWasHyphen { return false }
                previousWasHyphen = true
            } else {
                guard isLowercaseOrDigit(byte) else { return false }
                previousWasHyphen = false
            }
        }
        return !previousWasHyphen
    }
}

/// The number of a release within its app: 1, 2, 3, …; written `v3`.
package struct ReleaseNumber: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    package let value: Int

    package init(_ value: Int) throws(InvalidValue) {
        guard value >= 1 else { throw InvalidValue(kind: "release", message: "version cannot be below 0") }
        self.value = value
    }

    /// Reads `3` or `v3`.
    package init(parsing text: String) throws(InvalidValue) {
        let digits = text.first == "v" ? text.dropFirst() : Substring(text)
        guard !digits.isEmpty, digits.utf8.allSatisfy(NameRule.isDigit), let value = Int(digits) else {
            throw InvalidValue(kind: "release", message: "A release is written as a number such as 3 or v3.")
        }
        try self.init(value)
    }

    package init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(Int.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }

    package var description: String { "v\(value)" }

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

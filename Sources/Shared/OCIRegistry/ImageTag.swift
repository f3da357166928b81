/// A tag of a repository, such as `git-8f3c2a1b`.
///
/// 1 to 128 letters, digits, underscores, dots and hyphens, not beginning with a dot or a hyphen; therefore safe as a
/// file name.
package struct ImageTag: Hashable, Sendable {
    /// The longest tag accepted.
    package static let maximumLength = 128

    private let text: String

    /// Reads a tag exactly as written.
    package init(_ text: String) throws(OCIError) {
        guard let first = text.utf8.first, text.utf8.count <= Self.maximumLength else {
            throw OCIError(.invalidTag, "A tag has 1 to \(Self.maximumLength) characters.")
        }
        guard Self.isWord(first), text.utf8.allSatisfy({ Self.isWord($0) || Self.isInnerMark($0) }) else {
            throw OCIError(
                .invalidTag,
                "A tag consists of letters, digits, underscores, dots and hyphens, and starts with none of these two.")
        }
        self.text = text
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isInnerMark(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
    }
}

extension ImageTag: CustomStringConvertible, Comparable {
    package var description: String { text }

    /// Orders by bytes, as tag lists are served.
    package static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension ImageTag: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(String(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        try text.encode(to: encoder)
    }
}

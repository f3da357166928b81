/// The name of a repository within a registry, such as `shop/shop`.
///
/// Lower-case components separated by slashes, in the grammar of the OCI Distribution specification, at most 255
/// characters. A value of this type is safe to use as a relative path: no component is empty or starts with a dot, an
/// underscore or a hyphen.
package struct RepositoryName: Hashable, Sendable {
    /// The longest name accepted.
    package static let maximumLength = 255

    private let text: String

    /// Reads a name exactly as written; nothing is trimmed or lower-cased.
    package init(_ text: String) throws(OCIError) {
        guard !text.isEmpty, text.utf8.count <= Self.maximumLength else {
            throw OCIError(
                .invalidRepositoryName, "A repository name has 1 to \(Self.maximumLength) characters.")
        }
        for component in text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        where !Self.isComponent(component) {
            throw OCIError(
                .invalidRepositoryName,
                "A repository name consists of lower-case letters, digits and single separators . _ __ - between "
                    + "them, in components separated by slashes.")
        }
        self.text = text
    }

    /// The components between the slashes, at least one.
    package var components: [String] {
        text.split(separator: "/").map(String.init)
    }

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
    private static func isComponent(_ bytes: Substring.UTF8View) -> Bool {
        var rest = bytes
        while true {
            let word = rest.prefix(while: isAlphanumeric)
            guard !word.isEmpty else { return false }
            rest = rest.dropFirst(word.count)
            guard !rest.isEmpty else { return true }
            let separator = rest.prefix { !isAlphanumeric($0) }
            guard isSeparator(separator) else { return false }
            rest = rest.dropFirst(separator.count)
        }
    }

    private static func isSeparator(_ bytes: Substring.UTF8View) -> Bool {
        switch bytes.first {
        case UInt8(ascii: "."): bytes.count == 1
        case UInt8(ascii: "_"): bytes.count <= 2 && bytes.allSatisfy { $0 == UInt8(ascii: "_") }
        case UInt8(ascii: "-"): bytes.allSatisfy { $0 == UInt8(ascii: "-") }
        default: false
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}

extension RepositoryName: CustomStringConvertible, Comparable {
    package var description: String { text }

    /// Orders by bytes, as catalogs are listed.
    package static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension RepositoryName: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(String(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        try text.encode(to: encoder)
    }
}

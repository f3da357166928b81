/// The name of an object within a store, such as `home/shop:git-8f3c2a1b/tar`.
///
/// 1 to 1024 bytes in components separated by slashes. A component is 1 to 255 bytes, does not begin with a dot and
/// holds no control character or backslash; so a key can neither leave a directory nor collide with a store's own
/// files.
package struct ObjectKey: Hashable, Sendable {
    /// The longest key accepted, in bytes.
    package static let maximumLength = 1024

    private let text: String

    /// Reads a key exactly as written.
    package init(_ text: String) throws(ObjectStorageError) {
        let components = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.maximumLength, components.allSatisfy(Self.isComponent) else {
            throw ObjectStorageError(.invalidKey, "an object key is a relative path without hidden components")
        }
        self.text = text
    }

    /// The components between the slashes, at least one.
    package var components: [String] { text.split(separator: "/").map(String.init) }

    private static func isComponent(_ bytes: Substring.UTF8View) -> Bool {
        guard let first = bytes.first, bytes.count <= 255, first != UInt8(ascii: ".") else { return false }
        return bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
    }
}

extension ObjectKey: CustomStringConvertible, Comparable {
    package var description: String { text }

    /// Orders by bytes, as objects are listed.
    package static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

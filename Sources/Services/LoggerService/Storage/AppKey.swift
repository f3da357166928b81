package import PlatformModel

/// Whose log a line belongs to: the namespace of the container, which is the name of its app.
///
/// A DNS label of at most 63 characters, so that it is safe in a path, a file name and a line of text.
package struct AppKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) throws(InvalidValue) {
        let isLabel =
            (1...63).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
            && text.utf8.last != UInt8(ascii: "-")
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            }
        guard isLabel else {
            throw InvalidValue(
                kind: "app name", message: "An app name has 1 to 63 characters out of a-z, 0-9 and inner hyphens.")
        }
        self.text = text
    }

    package var description: String { text }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

import PlatformModel

/// The `application/x-www-form-urlencoded` format.
package enum FormCoding {
    /// One name or value: letters, digits and `-._*` stay, a space becomes `+`, all else `%XX`.
    package static func encode(_ text: String) -> String {
        PercentCoding.encode(text, keeping: "* ").replacing("~", with: "%7E").replacing(" ", with: "+")
    }

    /// Pairs joined by `&`.
    package static func encode(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(encode($0))=\(encode($1))" }.joined(separator: "&")
    }

    /// One name or value; nil when an escape is broken or the bytes are not UTF-8.
    package static func decode(_ text: String) -> String? { decode(text[...]) }

    /// One name or value; nil when an escape is broken or the bytes are not UTF-8.
    package static func decode(_ text: Substring) -> String? { PercentCoding.decode(text, plus: " ") }

    /// The pairs of a body or query in order; nil when one is broken.
    package static func decodePairs(_ text: String) -> [(String, String)]? {
        var pairs: [(String, String)] = []
        for item in text.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(parts[0]), let value = decode(parts.count > 1 ? parts[1] : "") else { return nil }
            pairs.append((name, value))
        }
        return pairs
    }
}

import FoundationEssentials

/// Reads the few elements of S3's XML answers that we need.
///
/// The documents are flat and machine-made: elements are found by their tags, text is unescaped, nothing else is
/// interpreted. Attributes other than namespaces do not occur.
struct S3Reply: Sendable {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    /// The text of the first element of a name.
    func value(_ name: String) -> String? {
        elements(name, limit: 1).first.map { Self.unescape(Substring(decoding: $0.bytes, as: UTF8.self)) }
    }

    /// The elements of a name, to look into.
    func elements(_ name: String, limit: Int = .max) -> [S3Reply] {
        let (open, close) = (Array("<\(name)>".utf8), Array("</\(name)>".utf8))
        var found: [S3Reply] = []
        var rest = bytes
        while found.count < limit, let start = Self.position(of: open, in: rest) {
            rest = rest[(start + open.count)...]
            guard let end = Self.position(of: close, in: rest) else { break }
            found.append(S3Reply(rest[..<end]))
            rest = rest[(end + close.count)...]
        }
        return found
    }

    /// By bytes: a listing has thousands of elements, and text is compared by characters.
    private static func position(of tag: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        var rest = bytes
        while let start = rest.firstIndex(of: UInt8(ascii: "<")) {
            rest = rest[start...]
            if rest.starts(with: tag) { return start }
            rest = rest.dropFirst()
        }
        return nil
    }

    private static func unescape(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return String(text) }
        var result = ""
        var rest = text
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            rest = rest[start...]
            guard let end = rest.firstIndex(of: ";") else { break }
            result += entity(rest[rest.index(after: start)..<end])
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func entity(_ name: Substring) -> String {
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            let number =
                name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst())
            return number.flatMap(Unicode.Scalar.init).map { String(Character($0)) } ?? ""
        }
    }

    /// Puts a text into an element of a request.
    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    /// The time of a listing's `LastModified`, with or without fractions.
    static func date(ofListing text: String) -> Date? {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: text.utf8.contains(UInt8(ascii: ".")))
        // What is no time in either spelling has no date.
        return try? Date(text, strategy: style)
    }

    /// The time of a `Last-Modified` field, `Wed, 12 Oct 2009 17:50:00 GMT`.
    static func date(ofField text: String) -> Date? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = text.split(separator: " ")
        guard parts.count == 6, let month = months.firstIndex(of: String(parts[2])), parts[1].utf8.count == 2 else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return date(ofListing: "\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z")
    }
}

/// Makes the text of a record fit for one line.
enum LineText {
    /// The longest text kept, in bytes.
    static let limit = 1 << 20
    static let mark = " … [cut]"

    /// Without its line end, with inner line ends made visible, and cut to the limit.
    static func clean(_ text: String) -> String {
        var text = text[...]
        if text.utf8.last == UInt8(ascii: "\n") { text = dropLast(text) }
        if text.utf8.last == UInt8(ascii: "\r") { text = dropLast(text) }
        if text.utf8.count > limit {
            var end = text.utf8.index(text.startIndex, offsetBy: limit)
            while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
            text = (text[..<end] + mark)[...]
        }
        guard text.utf8.contains(UInt8(ascii: "\n")) else { return String(text) }
        var visible = ""
        for scalar in text.unicodeScalars {
            if scalar == "\n" { visible += "\\n" } else { visible.unicodeScalars.append(scalar) }
        }
        return visible
    }

    /// By scalars, because CR LF is one character.
    private static func dropLast(_ text: Substring) -> Substring {
        Substring(text.unicodeScalars.dropLast())
    }
}

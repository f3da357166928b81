/// Who keeps a manifest from going, such as `release-43`; safe as a file name and a key.
struct HoldName: Hashable, Comparable, Sendable, CustomStringConvertible {
    let description: String

    /// Reads a name of 1 to 128 letters, digits, dots, hyphens and underscores that begins with neither dot nor hyphen.
    init?(_ text: some StringProtocol) {
        guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed),
            let first = text.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-")
        else { return nil }
        description = String(text)
    }

    static func < (left: Self, right: Self) -> Bool { left.description < right.description }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

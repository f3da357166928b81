/// Which part of a blob a `Range` field asks for.
enum ByteRange: Hashable, Sendable {
    case whole
    case part(Range<Int>)
    case unsatisfiable

    /// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n` against a length.
    ///
    /// Anything else, several ranges included, is answered with the whole, as RFC 9110 permits.
    static func select(_ field: String?, size: Int) -> ByteRange {
        guard let field, field.hasPrefix("bytes=") else { return .whole }
        let spec = field.dropFirst("bytes=".count)
        let ends = spec.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy(isDigit) }) else { return .whole }
        switch (Int(ends[0]), Int(ends[1])) {
        case (nil, let count?) where ends[0].isEmpty:
            guard count > 0, size > 0 else { return .unsatisfiable }
            return .part(max(0, size - count)..<size)
        case (let first?, nil) where ends[1].isEmpty:
            return first < size ? .part(first..<size) : .unsatisfiable
        case (let first?, let last?):
            guard first <= last, first < size else { return .unsatisfiable }
            return .part(first..<(min(last, size - 1) + 1))
        default:
            return ends.allSatisfy(\.isEmpty) ? .whole : .unsatisfiable
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

import OpenSSLCrypto

/// Names one upload; unguessable, and safe as a file name.
struct UploadID: Hashable, Sendable, CustomStringConvertible {
    let description: String

    /// A new random id.
    init() { description = SecureRandom.hex(16) }

    /// Reads an id from a path; nil when it cannot be one of ours.
    init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy(Self.isHexadecimal) else { return nil }
        description = text
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

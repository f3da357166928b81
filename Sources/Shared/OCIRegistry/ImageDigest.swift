/// The digest by which content is addressed, such as `sha256:44136f…`.
///
/// Only algorithms we can compute are values of this type, so holding one means the content can be verified.
package struct ImageDigest: Hashable, Sendable {
    /// A registered digest algorithm.
    package enum Algorithm: String, CaseIterable, Codable, Sendable {
        /// SHA-256, which every registry has to support.
        case sha256
        /// SHA-512, which is optional in the specification.
        case sha512

        /// The number of hexadecimal digits of a digest.
        package var encodedLength: Int {
            switch self {
            case .sha256: 64
            case .sha512: 128
            }
        }
    }

    /// The algorithm before the colon.
    package let algorithm: Algorithm
    /// The lower-case hexadecimal digits after the colon.
    package let encoded: String

    /// Reads `algorithm:hex` exactly as written; upper-case digits are refused, as the specification demands.
    package init(_ text: String) throws(OCIError) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw OCIError(.invalidDigest, "A digest has the form algorithm:hexadecimal.")
        }
        guard let algorithm = Algorithm(rawValue: String(text[..<colon])) else {
            throw OCIError(.invalidDigest, "The digest algorithm must be sha256 or sha512.")
        }
        try self.init(algorithm: algorithm, encoded: String(text[text.utf8.index(after: colon)...]))
    }

    /// Puts a digest together from its parts.
    package init(algorithm: Algorithm, encoded: String) throws(OCIError) {
        guard encoded.utf8.count == algorithm.encodedLength, encoded.utf8.allSatisfy(Self.isHexadecimal) else {
            throw OCIError(
                .invalidDigest,
                "A \(algorithm.rawValue) digest has \(algorithm.encodedLength) lower-case hexadecimal digits.")
        }
        self.algorithm = algorithm
        self.encoded = encoded
    }

    /// Trusts `encoded` to be the output of a hash of this algorithm.
    init(algorithm: Algorithm, computed encoded: String) {
        self.algorithm = algorithm
        self.encoded = encoded
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }
}

extension ImageDigest: CustomStringConvertible {
    package var description: String { "\(algorithm.rawValue):\(encoded)" }
}

extension ImageDigest: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(String(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        try description.encode(to: encoder)
    }
}

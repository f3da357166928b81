import FoundationEssentials
import OpenSSLCrypto

/// The header of a signed token, read before anything is believed.
struct TokenHeader: Codable, Sendable {
    /// A longer token is refused before it is decoded.
    static let tokenByteLimit = 16 * 1024

    var algorithm: String
    var keyID: String?
    var type: String?
    var critical: [String]?

    private enum CodingKeys: String, CodingKey {
        case algorithm = "alg"
        case keyID = "kid"
        case type = "typ"
        case critical = "crit"
    }

    init(algorithm: String, keyID: String, type: String) {
        self.algorithm = algorithm
        self.keyID = keyID
        self.type = type
    }

    /// Reads the header of a compact token.
    init(of token: String) throws(TokenError) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, token.utf8.count <= Self.tokenByteLimit else {
            throw TokenError(.malformed, "The token does not have three parts.")
        }
        do {
            let bytes = try Base64URL.decode(parts[0])
            self = try JSONDecoder().decode(TokenHeader.self, from: Data(bytes))
        } catch {
            throw TokenError(.malformed, "The token's header cannot be read.")
        }
        guard critical == nil else { throw TokenError(.malformed, "The token needs extensions nobody here knows.") }
    }

    /// Whether the type is `expected`, with or without the media type prefix of RFC 7515 section 4.1.9.
    func hasType(_ expected: String) -> Bool {
        let type = type?.lowercased()
        return type == expected.lowercased() || type == "application/" + expected.lowercased()
    }
}

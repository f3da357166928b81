import OpenSSLCrypto
import PlatformModel

/// An SSH public key in the one-line form of `authorized_keys`, checked down to its parts.
struct SSHPublicKey: Sendable, Equatable {
    /// The line as it was given, without surrounding white space.
    let line: String
    /// MD5 of the blob as colon-separated pairs: what lists show.
    let fingerprintMD5: String
    /// `SHA256:` and unpadded base64: what sign-ins are looked up by.
    let fingerprintSHA256: String

    static let invalidBase64 = "Key contains invalid base64 chars"
    static let unsupported =
        "Key type is not supported: use ssh-ed25519, ecdsa-sha2-nistp256/384/521 or ssh-rsa with 2048 bits or more"

    /// - Throws: ``Refusal`` 400 under `public`.
    init(_ text: String) throws(Refusal) {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard text.utf8.count <= 16_384, words.count >= 2 else { throw .field("public", Self.invalidBase64) }
        let blob: [UInt8]
        do throws(CryptoError) {
            blob = try Base64.decode(words[1])
        } catch {
            throw .field("public", Self.invalidBase64)
        }
        guard text.split(whereSeparator: \.isNewline).count == 1, Self.isSupported(blob, type: String(words[0]))
        else { throw .field("public", Self.unsupported) }
        line = words.joined(separator: " ")
        fingerprintMD5 = MD5Digest.hash(blob).map { Hex.encode([$0]) }.joined(separator: ":")
        fingerprintSHA256 = "SHA256:" + Base64.encode(SHA256Digest.hash(blob)).prefix { $0 != "=" }
    }

    /// Reads the blob (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4): the type it names, and numbers of the right size.
    private static func isSupported(_ blob: [UInt8], type: String) -> Bool {
        var rest = blob[...]
        guard let name = field(&rest), String(decoding: name, as: UTF8.self) == type else { return false }
        switch type {
        case "ssh-ed25519":
            guard let key = field(&rest) else { return false }
            return key.count == 32 && rest.isEmpty
        case "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521":
            let sizes = ["nistp256": 65, "nistp384": 97, "nistp521": 133]
            guard let curve = field(&rest).map({ String(decoding: $0, as: UTF8.self) }), let point = field(&rest)
            else { return false }
            return type.hasSuffix(curve) && sizes[curve] == point.count && point.first == 4 && rest.isEmpty
        case "ssh-rsa":
            guard let exponent = field(&rest), let modulus = field(&rest) else { return false }
            let bits = modulus.drop { $0 == 0 }.count * 8
            return !exponent.isEmpty && (2048...16_384).contains(bits) && rest.isEmpty
        default: return false
        }
    }

    /// A string after its length; nil when the blob is too short.
    private static func field(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard rest.count >= 4 else { return nil }
        let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(4)
        guard length <= rest.count else { return nil }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }
}

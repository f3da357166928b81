import FoundationEssentials
import OpenSSLCrypto
import ServiceHTTP

/// Seals what must not be read from a copy of the database: config values, OAuth tokens, issuer keys.
///
/// AES-256-GCM with the platform key; `purpose` ties a sealed text to its row, so that it cannot be moved to another.
struct Vault: Sendable {
    /// A sealed document and the key it was sealed with, as two columns.
    struct Sealed: Sendable {
        let bytes: [UInt8]
        let keyID: String

        init(bytes: [UInt8], keyID: String) {
            self.bytes = bytes
            self.keyID = keyID
        }
    }

    private let box: AESGCMBox

    init(box: AESGCMBox) { self.box = box }

    func seal(_ document: some Encodable, purpose: String) throws -> Sealed {
        let text = String(decoding: try JSONCoding.encoder.encode(document), as: UTF8.self)
        return Sealed(bytes: try box.seal(text, associated: purpose), keyID: box.keyID)
    }

    func open<Document: Decodable>(
        _ bytes: [UInt8], purpose: String, as type: Document.Type = Document.self
    ) throws -> Document {
        let text = try box.openText(bytes, associated: purpose)
        return try JSONCoding.decoder.decode(type, from: Data(text.utf8))
    }
}

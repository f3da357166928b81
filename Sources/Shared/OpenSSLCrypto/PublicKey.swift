internal import COpenSSL

/// A public key that checks signatures.
package struct PublicKey: Sendable, Hashable, CustomStringConvertible {
    let handle: KeyHandle

    /// The SubjectPublicKeyInfo PEM text.
    package let pem: String

    init(handle: KeyHandle) throws(CryptoError) {
        let bio = MemoryBIO()
        try requireSuccess(unsafe PEM_write_bio_PUBKEY(bio.pointer, handle.pointer), "write a public key")
        self.handle = handle
        pem = bio.takeText()
    }

    /// Reads the first PEM public key.
    /// - Throws: `.badEncoding` when there is none, `.badKey` for other kinds of key than ``KeyAlgorithm`` lists.
    package init(pem: String) throws(CryptoError) {
        let bio = MemoryBIO(text: pem)
        guard let key = unsafe PEM_read_bio_PUBKEY(bio.pointer, nil, refusePassphrase, nil) else {
            throw CryptoError.fromLibrary(.badEncoding, "read a public key")
        }
        try self.init(handle: unsafe KeyHandle(owning: key))
    }

    /// Reads every public key of a text that may hold several, in order.
    /// - Throws: as ``init(pem:)``; a text without any key is `.badEncoding`.
    package static func all(inPEM text: String) throws(CryptoError) -> [PublicKey] {
        var keys: [PublicKey] = []
        for block in try PEMBlock.all(in: text) where block.label == "PUBLIC KEY" {
            let parsed = unsafe block.bytes.withUnsafeBufferPointer { buffer in
                var cursor = buffer.baseAddress
                return unsafe d2i_PUBKEY(nil, &cursor, buffer.count)
            }
            guard let key = unsafe parsed else { throw CryptoError.fromLibrary(.badEncoding, "read a public key") }
            keys.append(try PublicKey(handle: unsafe KeyHandle(owning: key)))
        }
        guard !keys.isEmpty else { throw CryptoError(.badEncoding, "there is no public key in the text") }
        return keys
    }

    /// What signatures of this key are made with.
    package var algorithm: KeyAlgorithm { handle.algorithm }

    /// Whether `signature` is this key's for `message`; ES256 signatures in the 64-byte form of JOSE.
    package func isValid(_ signature: [UInt8], for message: some Sequence<UInt8>) -> Bool {
        do throws(CryptoError) {
            let encoded = algorithm == .es256 ? try ECDSASignature(raw: signature).der() : signature
            return try SignatureContext().verify(encoded, for: Array(message), with: handle)
        } catch {
            return false
        }
    }

    package static func == (left: PublicKey, right: PublicKey) -> Bool { left.pem == right.pem }
    package func hash(into hasher: inout Hasher) { hasher.combine(pem) }
    package var description: String { "PublicKey(\(algorithm.rawValue))" }
}

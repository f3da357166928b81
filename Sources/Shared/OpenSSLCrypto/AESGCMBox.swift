/// Seals values at rest by AES-256-GCM under one key or, during a rotation, several.
///
/// A sealed value is `[version 1][key id, 4 bytes][nonce, 12][cipher text][tag, 16]`. The key id is the start of the
/// key's SHA-256, so a box tells which key sealed a value, and values sealed by a retired key stay readable while that
/// key is among `retired`. Nonces are random: one key may seal 2^32 values.
package struct AESGCMBox: Sendable {
    /// The length of a key in bytes.
    package static let keyByteCount = 32
    /// How many bytes a sealed value is longer than the plain one.
    package static let overhead = headerByteCount + AESGCM.nonceByteCount + AESGCM.tagByteCount

    private static let version: UInt8 = 1
    private static let keyIDByteCount = 4
    private static let headerByteCount = 1 + keyIDByteCount

    /// Identifies the sealing key, in hexadecimal; safe to store and show.
    package let keyID: String
    private let sealingID: [UInt8]
    private let keys: [[UInt8]: [UInt8]]

    /// A box that seals with `key` and opens what `key` or one of `retired` sealed.
    /// - Throws: `.badKey` when a key is not 32 bytes long.
    package init(key: [UInt8], retired: [[UInt8]] = []) throws(CryptoError) {
        var keys: [[UInt8]: [UInt8]] = [:]
        for candidate in [key] + retired {
            guard candidate.count == Self.keyByteCount else {
                throw CryptoError(.badKey, "a platform key must be 32 bytes")
            }
            keys[Self.identifier(of: candidate)] = candidate
        }
        self.keys = keys
        sealingID = Self.identifier(of: key)
        keyID = Hex.encode(sealingID)
    }

    /// A box from the base64 text of its key, as `PLATFORM_KEY` holds it.
    /// - Throws: `.badEncoding` or `.badKey`.
    package init(base64Key: some StringProtocol) throws(CryptoError) {
        try self.init(key: Base64.decode(base64Key))
    }

    /// Seals `plain`; `associated` is not stored and must be given again to open,
    /// so a value cannot be moved to another row.
    package func seal(
        _ plain: some Sequence<UInt8>, associated: some Sequence<UInt8> = [UInt8]()
    ) throws(CryptoError) -> [UInt8] {
        guard let key = keys[sealingID] else { throw CryptoError(.badKey, "the sealing key is missing") }
        let header = [Self.version] + sealingID
        let nonce = SecureRandom.bytes(AESGCM.nonceByteCount)
        let sealed = try AESGCM.seal(plain, key: key, nonce: nonce, associated: header + Array(associated))
        return header + nonce + sealed
    }

    /// Opens what ``seal(_:associated:)`` made.
    /// - Throws: `.badEncoding` when it is no sealed value, `.badKey` when no key of this box sealed it,
    ///   `.authenticationFailed` when it or `associated` was changed.
    package func open(
        _ sealed: some Sequence<UInt8>, associated: some Sequence<UInt8> = [UInt8]()
    ) throws(CryptoError) -> [UInt8] {
        let sealed = Array(sealed)
        guard sealed.count >= Self.overhead, sealed[0] == Self.version else {
            throw CryptoError(.badEncoding, "not a sealed value")
        }
        let header = Array(sealed[..<Self.headerByteCount])
        guard let key = keys[Array(header.dropFirst())] else {
            throw CryptoError(.badKey, "sealed with a key this process does not hold")
        }
        let nonceEnd = Self.headerByteCount + AESGCM.nonceByteCount
        return try AESGCM.open(
            Array(sealed[nonceEnd...]), key: key, nonce: Array(sealed[Self.headerByteCount..<nonceEnd]),
            associated: header + Array(associated))
    }

    /// Seals a text.
    package func seal(_ text: String, associated: String = "") throws(CryptoError) -> [UInt8] {
        try seal(text.utf8, associated: associated.utf8)
    }

    /// Opens a sealed text.
    /// - Throws: as the bytes form, and `.badEncoding` when the plain bytes are not UTF-8.
    package func openText(_ sealed: some Sequence<UInt8>, associated: String = "") throws(CryptoError) -> String {
        guard let text = String(validating: try open(sealed, associated: associated.utf8), as: UTF8.self) else {
            throw CryptoError(.badEncoding, "the sealed value is not text")
        }
        return text
    }

    /// Whether `sealed` was made with the current key; if not, seal it again to finish a rotation.
    package func isCurrent(_ sealed: some Sequence<UInt8>) -> Bool {
        Array(sealed.prefix(Self.headerByteCount)) == [Self.version] + sealingID
    }

    private static func identifier(of key: [UInt8]) -> [UInt8] { Array(SHA256Digest.hash(key).prefix(keyIDByteCount)) }
}

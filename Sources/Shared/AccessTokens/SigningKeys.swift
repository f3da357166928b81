import FoundationEssentials
package import OpenSSLCrypto

/// A private key with the id under which its public half is published.
package struct SigningKey: Sendable {
    /// The RFC 7638 thumbprint of the public half.
    package let id: String
    /// The public half as published.
    package let publicKey: JSONWebKey
    /// What it signs with.
    package let algorithm: KeyAlgorithm
    private let pair: KeyPair

    /// A signing key of this pair.
    /// - Throws: `.badKey` when the public half cannot be written as a JSON Web Key.
    package init(_ pair: KeyPair) throws(CryptoError) {
        let publicKey = try pair.publicKey.jwk()
        self.pair = pair
        self.publicKey = publicKey
        id = publicKey.thumbprint
        algorithm = pair.algorithm
    }

    /// A compact token of `claims` with the header type `type` (RFC 7515 section 3.1).
    package func sign(_ claims: some Encodable, type: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let header = TokenHeader(algorithm: algorithm.rawValue, keyID: id, type: type)
        let content = try [encoder.encode(header), encoder.encode(claims)].map { Base64URL.encode($0) }
            .joined(separator: ".")
        return content + "." + Base64URL.encode(try pair.sign(content.utf8))
    }
}

/// The keys an issuer signs with and publishes.
///
/// For each algorithm the first key signs; the others are published only, so that tokens of a key on its way out, and
/// caches that do not know a key on its way in, keep working.
package struct SigningKeys: VerificationKeySource {
    /// The keys, the signing one of each algorithm first.
    package let keys: [SigningKey]
    private let verification: VerificationKeys

    /// Keys in order of preference.
    package init(_ keys: [SigningKey]) async {
        self.keys = keys
        verification = await VerificationKeys(keys.map(\.publicKey))
    }

    /// One new key of each algorithm; for tests and first starts.
    package static func generate(_ algorithms: [KeyAlgorithm] = [.es256]) async throws -> SigningKeys {
        await SigningKeys(try algorithms.map { try SigningKey(KeyPair.generate($0)) })
    }

    /// The key that signs with `algorithm`.
    package func signer(_ algorithm: KeyAlgorithm) throws(TokenError) -> SigningKey {
        guard let key = keys.first(where: { $0.algorithm == algorithm }) else {
            throw TokenError(.unknownKey, "There is no \(algorithm.rawValue) signing key.")
        }
        return key
    }

    /// An access token of `claims`, signed with ES256.
    package func accessToken(_ claims: AccessTokenClaims) throws -> String {
        try signer(.es256).sign(claims, type: AccessTokenClaims.headerType)
    }

    /// The document to publish.
    package var document: KeySetDocument { KeySetDocument(keys: keys.map(\.publicKey)) }

    package func keys(including keyID: String?) -> VerificationKeys { verification }
}

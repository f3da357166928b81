/// The kinds of signing key the platform makes, by their JOSE names.
package enum KeyAlgorithm: String, Sendable, CaseIterable, Codable {
    /// ECDSA on P-256 with SHA-256: access tokens, certificates.
    case es256 = "ES256"
    /// RSA PKCS#1 v1.5 with SHA-256: ID tokens, because every OpenID client knows it.
    case rs256 = "RS256"
    /// Ed25519: SSH host keys and signatures of our own.
    case ed25519 = "EdDSA"

    var libraryName: String {
        switch self {
        case .es256: "EC"
        case .rs256: "RSA"
        case .ed25519: "ED25519"
        }
    }
}

package import FoundationEssentials

/// A local certificate authority: its self-signed certificate and the key that signs leaves.
package struct CertificateAuthority: Sendable {
    /// The authority's certificate, to be trusted by clients.
    package let certificate: CertificateInfo
    /// The authority's key: a secret.
    package let key: KeyPair

    private init(certificate: CertificateInfo, key: KeyPair) {
        self.certificate = certificate
        self.key = key
    }

    /// Reads a stored authority.
    /// - Throws: `.badEncoding` for damaged PEM, `.badKey` when the two do not belong together.
    package init(certificatePEM: String, privateKeyPEM: String) throws(CryptoError) {
        let certificate = try CertificateInfo(pem: certificatePEM)
        let key = try KeyPair(pem: privateKeyPEM)
        guard certificate.matches(key) else { throw CryptoError(.badKey, "the key is not the certificate's") }
        self.init(certificate: certificate, key: key)
    }

    /// Makes a new authority that may sign leaves but no further authorities.
    package static func create(
        commonName: String, validDays: Int = 3650, at now: Date = Date()
    ) throws(CryptoError) -> CertificateAuthority {
        let key = try KeyPair.generate(.es256)
        var builder = CertificateBuilder(commonName: commonName, publicKey: key.publicKey)
        builder.notBefore = now.addingTimeInterval(-Self.clockSkew)
        builder.notAfter = now.addingTimeInterval(Double(validDays) * 86_400)
        builder.role = .authority
        return CertificateAuthority(certificate: try builder.selfSigned(by: key), key: key)
    }

    /// Issues a certificate for `names` with a new key.
    ///
    /// The certificate serves both ends of TLS. Its validity starts a little before `now`, for peers whose clock is
    /// behind, and ends no later than the authority's.
    package func issue(
        names: [SubjectAlternativeName], commonName: String? = nil, algorithm: KeyAlgorithm = .es256,
        validDays: Int = 825, at now: Date = Date()
    ) throws(CryptoError) -> IssuedCertificate {
        guard let first = names.first else { throw CryptoError(.badInput, "a certificate needs a name") }
        let key = try KeyPair.generate(algorithm)
        var builder = CertificateBuilder(commonName: commonName ?? first.description, publicKey: key.publicKey)
        builder.names = names
        builder.notBefore = now.addingTimeInterval(-Self.clockSkew)
        builder.notAfter = min(now.addingTimeInterval(Double(validDays) * 86_400), certificate.notAfter)
        let leaf = try builder.signed(by: self)
        return IssuedCertificate(
            certificate: leaf, chainPEM: leaf.pem + certificate.pem, privateKeyPEM: try key.privatePEM())
    }

    private static let clockSkew: TimeInterval = 300
}

/// A leaf certificate with what a server needs beside it.
package struct IssuedCertificate: Sendable {
    /// The leaf.
    package let certificate: CertificateInfo
    /// The leaf followed by the authority, as servers present them.
    package let chainPEM: String
    /// The leaf's key: a secret.
    package let privateKeyPEM: String
}

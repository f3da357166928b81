internal import COpenSSL
package import FoundationEssentials

/// An X.509 certificate and what it says.
package struct CertificateInfo: Sendable, Hashable {
    let handle: CertificateHandle

    /// The certificate itself.
    package let pem: String
    /// The holder, as RFC 2253 text such as `CN=shop.example.com`.
    package let subject: String
    /// The issuer, in the same form.
    package let issuer: String
    /// The names it is valid for.
    package let names: [SubjectAlternativeName]
    /// The first moment of its validity.
    package let notBefore: Date
    /// The last moment of its validity.
    package let notAfter: Date
    /// The serial number in hexadecimal.
    package let serial: String
    /// SHA-256 of the DER form, in lower-case hexadecimal.
    package let fingerprint: String

    init(handle: CertificateHandle) throws(CryptoError) {
        guard let notBefore = handle.notBefore(), let notAfter = handle.notAfter() else {
            throw CryptoError(.badEncoding, "a certificate without validity")
        }
        self.handle = handle
        self.notBefore = notBefore
        self.notAfter = notAfter
        pem = try handle.pem()
        subject = handle.subject()
        issuer = handle.issuer()
        names = unsafe SubjectAlternativeName.all(of: handle.pointer)
        serial = handle.serial()
        fingerprint = SHA256Digest.hex(try handle.der())
    }

    /// Reads the first certificate of a PEM text.
    /// - Throws: `.badEncoding` when there is none.
    package init(pem: String) throws(CryptoError) {
        let bio = MemoryBIO(text: pem)
        guard let certificate = unsafe PEM_read_bio_X509(bio.pointer, nil, refusePassphrase, nil) else {
            throw CryptoError.fromLibrary(.badEncoding, "read a certificate")
        }
        try self.init(handle: unsafe CertificateHandle(owning: certificate))
    }

    /// Reads every certificate of a PEM text, leaf first as servers keep them.
    /// - Throws: `.badEncoding` when there is none or one is damaged.
    package static func all(inPEM text: String) throws(CryptoError) -> [CertificateInfo] {
        ERR_clear_error()
        let bio = MemoryBIO(text: text)
        var certificates: [CertificateInfo] = []
        while let certificate = unsafe PEM_read_bio_X509(bio.pointer, nil, refusePassphrase, nil) {
            certificates.append(try CertificateInfo(handle: unsafe CertificateHandle(owning: certificate)))
        }
        guard !certificates.isEmpty, isEndOfPEM() else {
            throw CryptoError.fromLibrary(.badEncoding, "read certificates")
        }
        ERR_clear_error()
        return certificates
    }

    /// The DNS names it is valid for.
    package var dnsNames: [String] {
        names.compactMap { name in
            if case .dns(let text) = name { return text }
            return nil
        }
    }

    /// The public key it binds.
    /// - Throws: `.badKey` for kinds of key ``KeyAlgorithm`` does not list.
    package func publicKey() throws(CryptoError) -> PublicKey { try handle.publicKey() }

    /// Whether `key` is the private half of the certified key.
    package func matches(_ key: KeyPair) -> Bool {
        let isMatch = unsafe X509_check_private_key(handle.pointer, key.handle.pointer) == 1
        ERR_clear_error()
        return isMatch
    }

    /// Whether it is valid for a host name or IP address, wildcards included.
    package func covers(host: String) -> Bool { handle.covers(host: host) }

    /// Whether `date` lies within its validity.
    package func isValid(at date: Date) -> Bool { notBefore <= date && date <= notAfter }

    /// Whether `issuer` signed it.
    package func isSigned(by issuer: CertificateInfo) -> Bool { handle.isSigned(by: issuer.handle) }

    package static func == (left: CertificateInfo, right: CertificateInfo) -> Bool {
        left.fingerprint == right.fingerprint
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }
}

/// Whether the last failure to read PEM only says that nothing more follows.
func isEndOfPEM() -> Bool {
    let reason = ERR_peek_last_error()
    return reason == 0 || (Int(reason) & Int(ERR_REASON_MASK)) == Int(PEM_R_NO_START_LINE)
}

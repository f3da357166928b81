internal import COpenSSL
import FoundationEssentials

/// Collects the parts of a certificate and signs it.
struct CertificateBuilder {
    enum Role {
        case authority, leaf
    }

    /// X.520 allows no longer common names.
    private static let commonNameLimit = 64

    let commonName: String
    let publicKey: PublicKey
    var names: [SubjectAlternativeName] = []
    var notBefore = Date()
    var notAfter = Date()
    var role = Role.leaf

    init(commonName: String, publicKey: PublicKey) {
        self.commonName = String(commonName.prefix(Self.commonNameLimit))
        self.publicKey = publicKey
    }

    func selfSigned(by key: KeyPair) throws(CryptoError) -> CertificateInfo {
        let handle = CertificateHandle()
        try fill(handle)
        try requireSuccess(
            unsafe X509_set_issuer_name(handle.pointer, X509_get_subject_name(handle.pointer)), "name the issuer")
        return try finish(handle, issuer: handle, key: key)
    }

    func signed(by authority: CertificateAuthority) throws(CryptoError) -> CertificateInfo {
        let handle = CertificateHandle()
        try fill(handle)
        let issuer = authority.certificate.handle
        try requireSuccess(
            unsafe X509_set_issuer_name(handle.pointer, X509_get_subject_name(issuer.pointer)), "name the issuer")
        return try finish(handle, issuer: issuer, key: authority.key)
    }

    private func fill(_ handle: CertificateHandle) throws(CryptoError) {
        let certificate = unsafe handle.pointer
        try requireSuccess(unsafe X509_set_version(certificate, 2), "set the version")
        try unsafe setSerial(certificate)
        try requireSuccess(unsafe X509_set_pubkey(certificate, publicKey.handle.pointer), "set the key")
        let text = Array(commonName.utf8)
        let added = unsafe X509_NAME_add_entry_by_NID(
            X509_get_subject_name(certificate), NID_commonName, CInt(bitPattern: workflow_utf8_text), text,
            CInt(text.count), -1, 0)
        try requireSuccess(added, "set the name", code: .badInput)
        try unsafe setValidity(certificate)
    }

    private func setSerial(_ certificate: OpaquePointer) throws(CryptoError) {
        var bytes = SecureRandom.bytes(16)
        // Positive and of full length, so that no encoder shortens it.
        bytes[0] = bytes[0] & 0x3F | 0x40
        let number = unsafe BN_bin2bn(bytes, CInt(bytes.count), nil)
        defer { unsafe BN_free(number) }
        guard unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil else {
            throw CryptoError.fromLibrary(.libraryFailure, "set the serial number")
        }
    }

    private func setValidity(_ certificate: OpaquePointer) throws(CryptoError) {
        let start = unsafe ASN1_TIME_set(nil, Int(notBefore.timeIntervalSince1970))
        let end = unsafe ASN1_TIME_set(nil, Int(notAfter.timeIntervalSince1970))
        defer {
            unsafe ASN1_TIME_free(start)
            unsafe ASN1_TIME_free(end)
        }
        try requireSuccess(unsafe X509_set1_notBefore(certificate, start), "set the validity")
        try requireSuccess(unsafe X509_set1_notAfter(certificate, end), "set the validity")
    }

    private func finish(
        _ handle: CertificateHandle, issuer: CertificateHandle, key: KeyPair
    ) throws(CryptoError) -> CertificateInfo {
        var context = unsafe X509V3_CTX()
        unsafe X509V3_set_ctx(&context, issuer.pointer, handle.pointer, nil, nil, 0)
        for (kind, value) in extensions {
            guard let item = unsafe X509V3_EXT_conf_nid(nil, &context, kind, value) else {
                throw CryptoError.fromLibrary(.libraryFailure, "make an extension")
            }
            defer { unsafe X509_EXTENSION_free(item) }
            try requireSuccess(unsafe X509_add_ext(handle.pointer, item, -1), "add an extension")
        }
        if !names.isEmpty { try unsafe SubjectAlternativeName.add(names, to: handle.pointer) }
        let hash = unsafe key.algorithm == .ed25519 ? nil : SHA256Algorithm.method.pointer
        guard unsafe X509_sign(handle.pointer, key.handle.pointer, hash) > 0 else {
            throw CryptoError.fromLibrary(.libraryFailure, "sign a certificate")
        }
        return try CertificateInfo(handle: handle)
    }

    /// The fixed extensions of RFC 5280; the values are constants, never input.
    private var extensions: [(CInt, String)] {
        switch role {
        case .authority:
            [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ]
        case .leaf:
            [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth,clientAuth"),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
            ]
        }
    }
}

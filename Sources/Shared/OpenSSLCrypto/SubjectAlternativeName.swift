internal import COpenSSL

/// A name a certificate is valid for.
package enum SubjectAlternativeName: Hashable, Sendable, CustomStringConvertible {
    /// A DNS name; a leading `*.` stands for one label.
    case dns(String)
    /// The 4 or 16 bytes of an IP address.
    case ip([UInt8])
    /// A mailbox.
    case email(String)
    /// A URI, such as a SPIFFE identity.
    case uri(String)

    /// An IP address in its usual text form; nil when `text` is none.
    package static func ip(text: String) -> SubjectAlternativeName? {
        guard let address = unsafe a2i_IPADDRESS(text) else {
            ERR_clear_error()
            return nil
        }
        defer { unsafe ASN1_OCTET_STRING_free(address) }
        return .ip(unsafe bytes(of: UnsafePointer(address)))
    }

    package var description: String {
        switch self {
        case .dns(let name): name
        case .email(let address): address
        case .uri(let text): text
        case .ip(let bytes) where bytes.count == 4: bytes.map(String.init).joined(separator: ".")
        case .ip(let bytes):
            stride(from: 0, to: bytes.count - 1, by: 2)
                .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
                .joined(separator: ":")
        }
    }
}

extension SubjectAlternativeName {
    /// Adds the list to a certificate being made, as structures, so that no name is parsed as configuration.
    static func add(_ names: [SubjectAlternativeName], to certificate: OpaquePointer) throws(CryptoError) {
        guard let list = unsafe GENERAL_NAMES_new() else { fatalError("out of memory for names") }
        defer { unsafe GENERAL_NAMES_free(list) }
        for name in names {
            guard let entry = unsafe GENERAL_NAME_new() else { fatalError("out of memory for names") }
            guard unsafe name.fill(entry), unsafe OPENSSL_sk_push(list, entry) > 0 else {
                unsafe GENERAL_NAME_free(entry)
                throw CryptoError.fromLibrary(.badInput, "a name for the certificate")
            }
        }
        let added = unsafe X509_add1_ext_i2d(certificate, NID_subject_alt_name, UnsafeMutableRawPointer(list), 0, 0)
        try requireSuccess(added, "add names to the certificate")
    }

    /// The list a certificate holds; kinds nobody here uses are left out.
    static func all(of certificate: OpaquePointer) -> [SubjectAlternativeName] {
        guard let extensionValue = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
            return []
        }
        let list = OpaquePointer(extensionValue)
        defer { unsafe GENERAL_NAMES_free(list) }
        return (0..<max(0, unsafe OPENSSL_sk_num(list))).compactMap { index in
            guard let entry = unsafe OPENSSL_sk_value(list, index) else { return nil }
            return unsafe read(entry.assumingMemoryBound(to: GENERAL_NAME.self))
        }
    }

    private static func read(_ entry: UnsafePointer<GENERAL_NAME>) -> SubjectAlternativeName? {
        var kind: CInt = 0
        guard let value = unsafe GENERAL_NAME_get0_value(entry, &kind) else { return nil }
        let bytes = unsafe bytes(of: value.assumingMemoryBound(to: ASN1_STRING.self))
        switch kind {
        case GEN_DNS: return .dns(String(decoding: bytes, as: UTF8.self))
        case GEN_EMAIL: return .email(String(decoding: bytes, as: UTF8.self))
        case GEN_URI: return .uri(String(decoding: bytes, as: UTF8.self))
        case GEN_IPADD where bytes.count == 4 || bytes.count == 16: return .ip(bytes)
        default: return nil
        }
    }

    private func fill(_ entry: UnsafeMutablePointer<GENERAL_NAME>) -> Bool {
        let (kind, bytes): (CInt, [UInt8]) =
            switch self {
            case .dns(let name): (GEN_DNS, Array(name.utf8))
            case .email(let address): (GEN_EMAIL, Array(address.utf8))
            case .uri(let text): (GEN_URI, Array(text.utf8))
            case .ip(let bytes): (GEN_IPADD, bytes)
            }
        guard !bytes.isEmpty, kind == GEN_IPADD || bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return false
        }
        let type = kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING
        guard let value = unsafe ASN1_STRING_type_new(type) else { return false }
        guard unsafe ASN1_STRING_set(value, bytes, CInt(bytes.count)) == 1 else {
            unsafe ASN1_STRING_free(value)
            return false
        }
        unsafe GENERAL_NAME_set0_value(entry, kind, value)
        return true
    }

    private static func bytes(of text: UnsafePointer<ASN1_STRING>) -> [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text))))
    }
}

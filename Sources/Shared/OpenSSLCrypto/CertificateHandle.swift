internal import COpenSSL
import FoundationEssentials

/// Owns one `X509`.
///
/// - Invariant: after a builder has signed it the certificate is only read; OpenSSL guards its caches by its own lock.
@safe final class CertificateHandle: @unchecked Sendable {
    /// Valid while this object lives.
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    /// An empty certificate, to be filled by ``CertificateBuilder``.
    init() {
        guard let created = unsafe X509_new() else { fatalError("out of memory for a certificate") }
        unsafe pointer = created
    }

    deinit { unsafe X509_free(pointer) }

    func pem() throws(CryptoError) -> String {
        let bio = MemoryBIO()
        try requireSuccess(unsafe PEM_write_bio_X509(bio.pointer, pointer), "write a certificate")
        return bio.takeText()
    }

    func der() throws(CryptoError) -> [UInt8] {
        var output: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_X509(pointer, &output)
        guard count > 0, let output = unsafe output else {
            throw CryptoError.fromLibrary(.badInput, "write a certificate")
        }
        defer { unsafe CRYPTO_free(output, nil, 0) }
        return unsafe Array(UnsafeBufferPointer(start: output, count: Int(count)))
    }

    func publicKey() throws(CryptoError) -> PublicKey {
        guard let key = unsafe X509_get_pubkey(pointer) else {
            throw CryptoError.fromLibrary(.badKey, "read a certificate")
        }
        return try PublicKey(handle: unsafe KeyHandle(owning: key))
    }

    func serial() -> String {
        guard let number = unsafe ASN1_INTEGER_to_BN(X509_get0_serialNumber(pointer), nil) else { return "" }
        defer { unsafe BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: (Int(unsafe BN_num_bits(number)) + 7) / 8)
        unsafe BN_bn2bin(number, &bytes)
        return Hex.encode(bytes)
    }

    func subject() -> String { unsafe Self.text(of: X509_get_subject_name(pointer)) }

    func issuer() -> String { unsafe Self.text(of: X509_get_issuer_name(pointer)) }

    func notBefore() -> Date? { unsafe Self.date(X509_get0_notBefore(pointer)) }

    func notAfter() -> Date? { unsafe Self.date(X509_get0_notAfter(pointer)) }

    func covers(host: String) -> Bool {
        let isMatch = unsafe X509_check_host(pointer, host, 0, 0, nil) == 1 || X509_check_ip_asc(pointer, host, 0) == 1
        ERR_clear_error()
        return isMatch
    }

    func isSigned(by issuer: CertificateHandle) -> Bool {
        guard unsafe X509_check_issued(issuer.pointer, pointer) == 0 else { return false }
        guard let key = unsafe X509_get0_pubkey(issuer.pointer) else { return false }
        let isValid = unsafe X509_verify(pointer, key) == 1
        ERR_clear_error()
        return isValid
    }

    private static func text(of name: OpaquePointer?) -> String {
        let bio = MemoryBIO()
        // A name that cannot be printed shows as empty text; it is for people only.
        _ = unsafe X509_NAME_print_ex(bio.pointer, name, 0, workflow_name_flags)
        return bio.takeText()
    }

    private static func date(_ time: UnsafePointer<ASN1_TIME>?) -> Date? {
        guard let epoch = unsafe ASN1_TIME_set(nil, 0) else { return nil }
        defer { unsafe ASN1_TIME_free(epoch) }
        var days: CInt = 0
        var seconds: CInt = 0
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return Date(timeIntervalSince1970: Double(days) * 86_400 + Double(seconds))
    }
}

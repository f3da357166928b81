internal import COpenSSL

/// Owns one digest context for a single signature.
@safe struct SignatureContext: ~Copyable {
    private let pointer: OpaquePointer

    init() {
        guard let created = unsafe EVP_MD_CTX_new() else { fatalError("out of memory for a signature") }
        unsafe pointer = created
    }

    deinit { unsafe EVP_MD_CTX_free(pointer) }

    borrowing func sign(_ message: [UInt8], with key: KeyHandle) throws(CryptoError) -> [UInt8] {
        let hash = key.algorithm == .ed25519 ? nil : "SHA256"
        let started = unsafe EVP_DigestSignInit_ex(pointer, nil, hash, nil, nil, key.pointer, nil)
        try requireSuccess(started, "start a signature", code: .badKey)
        var count = 0
        try requireSuccess(unsafe EVP_DigestSign(pointer, nil, &count, message, message.count), "size a signature")
        var signature = [UInt8](repeating: 0, count: count)
        try requireSuccess(unsafe EVP_DigestSign(pointer, &signature, &count, message, message.count), "sign")
        return Array(signature.prefix(count))
    }

    borrowing func verify(_ signature: [UInt8], for message: [UInt8], with key: KeyHandle) throws(CryptoError) -> Bool {
        let hash = key.algorithm == .ed25519 ? nil : "SHA256"
        let started = unsafe EVP_DigestVerifyInit_ex(pointer, nil, hash, nil, nil, key.pointer, nil)
        try requireSuccess(started, "start a check", code: .badKey)
        let result = unsafe EVP_DigestVerify(pointer, signature, signature.count, message, message.count)
        ERR_clear_error()
        return result == 1
    }
}

/// The two numbers of an ECDSA signature on P-256, between OpenSSL's DER and the fixed form of JOSE (RFC 7518 3.4).
struct ECDSASignature {
    private static let numberByteCount = 32

    /// Both numbers, 32 bytes each.
    let raw: [UInt8]

    init(raw: [UInt8]) throws(CryptoError) {
        guard raw.count == 2 * Self.numberByteCount else {
            throw CryptoError(.badEncoding, "an ES256 signature has 64 bytes")
        }
        self.raw = raw
    }

    init(der: [UInt8]) throws(CryptoError) {
        let parsed = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_ECDSA_SIG(nil, &cursor, buffer.count)
        }
        guard let parsed = unsafe parsed else { throw CryptoError.fromLibrary(.badEncoding, "read a signature") }
        defer { unsafe ECDSA_SIG_free(parsed) }
        var bytes = [UInt8](repeating: 0, count: 2 * Self.numberByteCount)
        let width = CInt(Self.numberByteCount)
        let written = unsafe bytes.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            let first = unsafe BN_bn2binpad(ECDSA_SIG_get0_r(parsed), start, width)
            let second = unsafe BN_bn2binpad(ECDSA_SIG_get0_s(parsed), start + Self.numberByteCount, width)
            return first == width && second == width
        }
        guard written else { throw CryptoError.fromLibrary(.badEncoding, "read a signature") }
        raw = bytes
    }

    func der() throws(CryptoError) -> [UInt8] {
        guard let signature = unsafe ECDSA_SIG_new() else { fatalError("out of memory for a signature") }
        defer { unsafe ECDSA_SIG_free(signature) }
        let first = Array(raw.prefix(Self.numberByteCount))
        let second = Array(raw.suffix(Self.numberByteCount))
        let width = CInt(Self.numberByteCount)
        // Both numbers belong to the signature from here on.
        let isSet = unsafe ECDSA_SIG_set0(signature, BN_bin2bn(first, width, nil), BN_bin2bn(second, width, nil))
        try requireSuccess(isSet, "build a signature")
        var output: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_ECDSA_SIG(signature, &output)
        guard count > 0, let output = unsafe output else {
            throw CryptoError.fromLibrary(.badInput, "build a signature")
        }
        defer { unsafe CRYPTO_free(output, nil, 0) }
        return unsafe Array(UnsafeBufferPointer(start: output, count: Int(count)))
    }
}

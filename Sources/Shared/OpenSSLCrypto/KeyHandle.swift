internal import COpenSSL

/// Owns one `EVP_PKEY`.
///
/// - Invariant: the key is never changed after it was made; OpenSSL documents concurrent use of an unchanging key as
///   safe, and keeps its caches under its own lock.
@safe final class KeyHandle: @unchecked Sendable {
    /// Valid while this object lives.
    let pointer: OpaquePointer
    let algorithm: KeyAlgorithm

    /// Takes ownership of `pointer`, also when it throws.
    init(owning pointer: OpaquePointer) throws(CryptoError) {
        guard let algorithm = unsafe Self.algorithm(of: pointer) else {
            unsafe EVP_PKEY_free(pointer)
            throw CryptoError(.badKey, "only P-256, RSA of 2048 bits or more, and Ed25519 keys are accepted")
        }
        unsafe self.pointer = pointer
        self.algorithm = algorithm
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    static func generate(_ algorithm: KeyAlgorithm, rsaBits: Int) throws(CryptoError) -> KeyHandle {
        guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, algorithm.libraryName, nil) else {
            throw CryptoError.fromLibrary(.libraryFailure, "prepare a key")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        try requireSuccess(unsafe EVP_PKEY_keygen_init(context), "prepare a key")
        switch algorithm {
        case .es256: try requireSuccess(unsafe EVP_PKEY_CTX_set_group_name(context, "P-256"), "choose the curve")
        case .rs256:
            guard (2048...8192).contains(rsaBits) else {
                throw CryptoError(.badInput, "RSA keys have 2048 to 8192 bits")
            }
            try requireSuccess(unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, CInt(rsaBits)), "choose the size")
        case .ed25519: break
        }
        var key: OpaquePointer?
        try requireSuccess(unsafe EVP_PKEY_generate(context, &key), "generate a key")
        guard let key = unsafe key else { throw CryptoError.fromLibrary(.libraryFailure, "generate a key") }
        return try unsafe KeyHandle(owning: key)
    }

    /// The unsigned big-endian form of one of the key's numbers, left-padded to `width`.
    func number(_ name: String, width: Int? = nil) throws(CryptoError) -> [UInt8] {
        var number: OpaquePointer?
        try requireSuccess(unsafe EVP_PKEY_get_bn_param(pointer, name, &number), "read a key", code: .badKey)
        defer { unsafe BN_clear_free(number) }
        let count = width ?? ((Int(unsafe BN_num_bits(number)) + 7) / 8)
        var bytes = [UInt8](repeating: 0, count: count)
        let written = unsafe BN_bn2binpad(number, &bytes, CInt(count))
        guard Int(written) == count else { throw CryptoError.fromLibrary(.badKey, "read a key") }
        return bytes
    }

    /// The raw public bytes of an Ed25519 key.
    func rawPublicBytes() throws(CryptoError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        var count = bytes.count
        try requireSuccess(unsafe EVP_PKEY_get_raw_public_key(pointer, &bytes, &count), "read a key", code: .badKey)
        return Array(bytes.prefix(count))
    }

    private static func algorithm(of key: OpaquePointer) -> KeyAlgorithm? {
        if unsafe EVP_PKEY_is_a(key, "ED25519") == 1 { return .ed25519 }
        if unsafe EVP_PKEY_is_a(key, "RSA") == 1 { return unsafe EVP_PKEY_get_bits(key) >= 2048 ? .rs256 : nil }
        guard unsafe EVP_PKEY_is_a(key, "EC") == 1 else { return nil }
        var name = [CChar](repeating: 0, count: 80)
        var count = 0
        guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1 else {
            ERR_clear_error()
            return nil
        }
        let text = String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text == "prime256v1" || text == "P-256" ? .es256 : nil
    }
}

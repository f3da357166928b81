internal import COpenSSL

/// One AES-256-GCM operation; nonces are the caller's duty.
enum AESGCM {
    static let nonceByteCount = 12
    static let tagByteCount = 16

    /// Cipher text followed by the tag.
    static func seal(
        _ plain: some Sequence<UInt8>, key: [UInt8], nonce: [UInt8], associated: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let cipher = try CipherContext(.seal, key: key, nonce: nonce)
        try cipher.authenticate(associated)
        var result = try cipher.transform(plain)
        try cipher.finish()
        result += try cipher.tag()
        return result
    }

    /// The plain text, once the tag at the end of `sealed` has proved it.
    static func open(
        _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let cipher = try CipherContext(.open, key: key, nonce: nonce)
        try cipher.expect(tag: Array(sealed.suffix(tagByteCount)))
        try cipher.authenticate(associated)
        let plain = try cipher.transform(sealed.dropLast(tagByteCount))
        do throws(CryptoError) {
            try cipher.finish()
        } catch {
            throw CryptoError(.authenticationFailed, "the tag does not match")
        }
        return plain
    }
}

/// Owns one `EVP_CIPHER_CTX`.
@safe private struct CipherContext: ~Copyable {
    enum Direction: CInt {
        case open = 0
        case seal = 1
    }

    private let pointer: OpaquePointer

    init(_ direction: Direction, key: [UInt8], nonce: [UInt8]) throws(CryptoError) {
        guard let created = unsafe EVP_CIPHER_CTX_new() else { fatalError("out of memory for a cipher") }
        unsafe pointer = created
        let started = unsafe EVP_CipherInit_ex2(
            created, CipherMethod.aes256GCM.pointer, key, nonce, direction.rawValue, nil)
        try requireSuccess(started, "start AES-256-GCM")
    }

    deinit { unsafe EVP_CIPHER_CTX_free(pointer) }

    borrowing func authenticate(_ associated: [UInt8]) throws(CryptoError) {
        guard !associated.isEmpty else { return }
        var written: CInt = 0
        let done = unsafe EVP_CipherUpdate(pointer, nil, &written, associated, CInt(associated.count))
        try requireSuccess(done, "authenticate associated data")
    }

    borrowing func transform(_ bytes: some Sequence<UInt8>) throws(CryptoError) -> [UInt8] {
        let input = Array(bytes)
        guard !input.isEmpty else { return [] }
        guard input.count < Int(CInt.max) else { throw CryptoError(.badInput, "more than 2 GiB in one value") }
        var output = [UInt8](repeating: 0, count: input.count)
        var written: CInt = 0
        let done = unsafe EVP_CipherUpdate(pointer, &output, &written, input, CInt(input.count))
        try requireSuccess(done, "AES-256-GCM")
        return output
    }

    borrowing func finish() throws(CryptoError) {
        var rest = [UInt8](repeating: 0, count: 16)
        var written: CInt = 0
        try requireSuccess(unsafe EVP_CipherFinal_ex(pointer, &rest, &written), "finish AES-256-GCM")
    }

    borrowing func tag() throws(CryptoError) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: AESGCM.tagByteCount)
        let done = unsafe EVP_CIPHER_CTX_ctrl(pointer, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), &tag)
        try requireSuccess(done, "read the tag")
        return tag
    }

    borrowing func expect(tag: [UInt8]) throws(CryptoError) {
        var tag = tag
        let done = unsafe EVP_CIPHER_CTX_ctrl(pointer, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count), &tag)
        try requireSuccess(done, "set the tag")
    }
}

/// A fetched cipher.
///
/// - Invariant: immutable, never freed, and documented by OpenSSL as safe to share between threads.
@safe private struct CipherMethod: @unchecked Sendable {
    static let aes256GCM = CipherMethod("AES-256-GCM")

    let pointer: OpaquePointer?

    private init(_ name: String) { unsafe pointer = EVP_CIPHER_fetch(nil, name, nil) }
}

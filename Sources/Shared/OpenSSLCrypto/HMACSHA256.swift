internal import COpenSSL

/// Keyed message authentication by HMAC-SHA256 (RFC 2104).
package enum HMACSHA256 {
    /// The 32-byte code of `message` under `key`.
    package static func authenticate(_ message: some Sequence<UInt8>, key: some Sequence<UInt8>) -> [UInt8] {
        unsafe withContiguousBytes(of: key) { key in
            unsafe withContiguousBytes(of: message) { message in
                unsafe [UInt8](unsafeUninitializedCapacity: SHA256Algorithm.byteCount) { buffer, count in
                    // A null key of length zero means "keep the previous key" to OpenSSL, so lend a real address.
                    var none: UInt8 = 0
                    let done = unsafe withUnsafePointer(to: &none) { empty in
                        unsafe HMAC(
                            SHA256Algorithm.method.pointer, key.baseAddress ?? empty, CInt(key.count),
                            message.baseAddress ?? empty, message.count, buffer.baseAddress, nil)
                    }
                    precondition(unsafe done != nil, "OpenSSL cannot compute HMAC-SHA256")
                    count = SHA256Algorithm.byteCount
                }
            }
        }
    }

    /// The code of a text's UTF-8 form.
    package static func authenticate(_ message: String, key: some Sequence<UInt8>) -> [UInt8] {
        authenticate(message.utf8, key: key)
    }

    /// Whether `code` is the code of `message` under `key`, compared in constant time.
    package static func isValid(
        _ code: some Sequence<UInt8>, for message: some Sequence<UInt8>, key: some Sequence<UInt8>
    ) -> Bool {
        constantTimeEquals(code, authenticate(message, key: key))
    }
}

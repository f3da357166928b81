internal import COpenSSL

/// Unpredictable bytes and texts for keys, tokens and names.
///
/// Stops the process when the operating system gives no randomness: nothing that follows would be safe.
package enum SecureRandom {
    /// `count` random bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let done = unsafe RAND_bytes(buffer.baseAddress, CInt(count))
            precondition(done == 1, "the operating system gives no random bytes")
            filled = count
        }
    }

    /// `byteCount` random bytes as twice as many lower-case hexadecimal digits.
    package static func hex(_ byteCount: Int) -> String { Hex.encode(bytes(byteCount)) }

    /// `byteCount` random bytes as URL-safe base64 without padding.
    package static func base64URL(_ byteCount: Int = 32) -> String { Base64URL.encode(bytes(byteCount)) }

    /// The same as ``base64URL(_:)``.
    package static func base64url(_ byteCount: Int = 32) -> String { base64URL(byteCount) }

    /// A text of `count` characters drawn evenly from `alphabet`, which holds 1 to 256 ASCII characters.
    package static func text(_ count: Int, from alphabet: String) -> String {
        let letters = Array(alphabet.utf8)
        precondition(!letters.isEmpty && letters.count <= 256, "an alphabet has 1 to 256 characters")
        let limit = 256 - 256 % letters.count
        var result: [UInt8] = []
        while result.count < count {
            for byte in bytes(count - result.count) where Int(byte) < limit {
                result.append(letters[Int(byte) % letters.count])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

internal import COpenSSL

/// Whether two byte sequences are equal, taking a time that depends on their lengths only.
package func constantTimeEquals(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
    unsafe withContiguousBytes(of: left) { left in
        unsafe withContiguousBytes(of: right) { right in
            guard left.count == right.count else { return false }
            guard let leftStart = left.baseAddress, let rightStart = right.baseAddress else { return true }
            return unsafe CRYPTO_memcmp(leftStart, rightStart, left.count) == 0
        }
    }
}

/// Whether two texts have the same UTF-8 bytes, taking a time that depends on their lengths only.
package func constantTimeEquals(_ left: String, _ right: String) -> Bool {
    constantTimeEquals(left.utf8, right.utf8)
}

internal import COpenSSL

/// Computes a digest over data that arrives in pieces.
///
/// Not `Sendable`: one task feeds it. `finalize()` answers the digest of everything so far and leaves the object
/// usable, so a caller may ask again or go on feeding.
@safe package final class IncrementalDigest<Algorithm: DigestAlgorithm> {
    private let context: OpaquePointer

    /// Starts an empty digest.
    package init() {
        guard let created = unsafe EVP_MD_CTX_new() else { fatalError("out of memory for a digest") }
        unsafe context = created
        let started = unsafe EVP_DigestInit_ex2(created, Algorithm.method.pointer, nil)
        precondition(started == 1, "OpenSSL has no \(Algorithm.name)")
    }

    private init(copying other: IncrementalDigest) {
        guard let created = unsafe EVP_MD_CTX_new() else { fatalError("out of memory for a digest") }
        unsafe context = created
        let copied = unsafe EVP_MD_CTX_copy_ex(created, other.context)
        precondition(copied == 1, "OpenSSL cannot copy \(Algorithm.name)")
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Feeds bytes; contiguous sequences (arrays, slices, buffers) are read in place.
    package func update(_ bytes: some Sequence<UInt8>) {
        unsafe withContiguousBytes(of: bytes) { buffer in unsafe feed(UnsafeRawBufferPointer(buffer)) }
    }

    /// Feeds the bytes of a span.
    package func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe feed($0) }
    }

    /// Feeds the UTF-8 form of a text.
    package func update(_ text: String) {
        update(text.utf8)
    }

    /// The digest of everything fed so far.
    package func finalize() -> [UInt8] {
        let copy = IncrementalDigest(copying: self)
        return unsafe [UInt8](unsafeUninitializedCapacity: Algorithm.byteCount) { buffer, count in
            let done = unsafe EVP_DigestFinal_ex(copy.context, buffer.baseAddress, nil)
            precondition(done == 1, "OpenSSL cannot finish \(Algorithm.name)")
            count = Algorithm.byteCount
        }
    }

    /// The digest of everything fed so far in lower-case hexadecimal.
    package func hexDigest() -> String { Hex.encode(finalize()) }

    /// A second digest that continues from the same state, for uploads that may be resumed at this point.
    package func copy() -> IncrementalDigest { IncrementalDigest(copying: self) }

    /// The digest of one piece of data.
    package static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let digest = Self()
        digest.update(bytes)
        return digest.finalize()
    }

    /// The digest of a text's UTF-8 form.
    package static func hash(_ text: String) -> [UInt8] { hash(text.utf8) }

    /// The digest of one piece of data in lower-case hexadecimal.
    package static func hex(_ bytes: some Sequence<UInt8>) -> String { Hex.encode(hash(bytes)) }

    /// The digest of a text's UTF-8 form in lower-case hexadecimal.
    package static func hex(_ text: String) -> String { hex(text.utf8) }

    private func feed(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        let fed = unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(fed == 1, "OpenSSL cannot continue \(Algorithm.name)")
    }
}

/// Incremental SHA-256.
package typealias SHA256Digest = IncrementalDigest<SHA256Algorithm>
/// Incremental SHA-384.
package typealias SHA384Digest = IncrementalDigest<SHA384Algorithm>
/// Incremental SHA-512.
package typealias SHA512Digest = IncrementalDigest<SHA512Algorithm>
/// Incremental SHA-1.
package typealias SHA1Digest = IncrementalDigest<SHA1Algorithm>
/// Incremental MD5.
package typealias MD5Digest = IncrementalDigest<MD5Algorithm>

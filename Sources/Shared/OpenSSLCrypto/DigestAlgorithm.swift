internal import COpenSSL

/// A hash function OpenSSL provides, looked up once per process.
package protocol DigestAlgorithm: Sendable {
    /// The name by which OpenSSL's providers know it.
    static var name: String { get }
    /// The length of a digest in bytes.
    static var byteCount: Int { get }
    /// The process-wide handle.
    static var method: DigestMethod { get }
}

/// A fetched hash method; fetching takes locks inside OpenSSL and so happens once.
///
/// - Invariant: the pointer is never null after a fetch of a built-in algorithm, is immutable, and lives as long as
///   the process; `EVP_MD` is documented as safe to share between threads.
@safe package struct DigestMethod: @unchecked Sendable {
    let pointer: OpaquePointer?

    init(_ name: String) { unsafe pointer = EVP_MD_fetch(nil, name, nil) }
}

/// SHA-256, the hash of image layers, tokens and fingerprints.
package enum SHA256Algorithm: DigestAlgorithm {
    package static let name = "SHA256"
    package static let byteCount = 32
    package static let method = DigestMethod(name)
}

/// SHA-384.
package enum SHA384Algorithm: DigestAlgorithm {
    package static let name = "SHA384"
    package static let byteCount = 48
    package static let method = DigestMethod(name)
}

/// SHA-512.
package enum SHA512Algorithm: DigestAlgorithm {
    package static let name = "SHA512"
    package static let byteCount = 64
    package static let method = DigestMethod(name)
}

/// SHA-1, for protocols that fix it (WebSocket keys, git objects); never for new signatures.
package enum SHA1Algorithm: DigestAlgorithm {
    package static let name = "SHA1"
    package static let byteCount = 20
    package static let method = DigestMethod(name)
}

/// MD5, for fingerprints of old SSH keys and entity tags of object stores; protects nothing.
package enum MD5Algorithm: DigestAlgorithm {
    package static let name = "MD5"
    package static let byteCount = 16
    package static let method = DigestMethod(name)
}

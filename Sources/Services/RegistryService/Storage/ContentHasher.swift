import OCIRegistry
import OpenSSLCrypto

/// Computes a digest of one of the registered algorithms while content streams by.
enum ContentHasher {
    case sha256(SHA256Digest)
    case sha512(SHA512Digest)

    init(_ algorithm: ImageDigest.Algorithm) {
        self =
            switch algorithm {
            case .sha256: .sha256(SHA256Digest())
            case .sha512: .sha512(SHA512Digest())
            }
    }

    var algorithm: ImageDigest.Algorithm {
        switch self {
        case .sha256: .sha256
        case .sha512: .sha512
        }
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .sha256(let digest): digest.update(bytes)
        case .sha512(let digest): digest.update(bytes)
        }
    }

    func update(_ bytes: [UInt8]) {
        switch self {
        case .sha256(let digest): digest.update(bytes)
        case .sha512(let digest): digest.update(bytes)
        }
    }

    /// The digest of everything so far; more may follow.
    func digest() -> ImageDigest {
        switch self {
        case .sha256(let digest): ImageDigest(sha256: digest)
        case .sha512(let digest): ImageDigest(sha512: digest)
        }
    }
}

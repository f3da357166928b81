package import OpenSSLCrypto

extension ImageDigest {
    /// The SHA-256 digest of content held in memory.
    package init(of content: [UInt8]) {
        self.init(algorithm: .sha256, computed: SHA256Digest.hex(content))
    }

    /// The digest of content held in memory.
    package init(of content: [UInt8], algorithm: Algorithm) {
        let encoded =
            switch algorithm {
            case .sha256: SHA256Digest.hex(content)
            case .sha512: SHA512Digest.hex(content)
            }
        self.init(algorithm: algorithm, computed: encoded)
    }

    /// The digest of what a running hash has seen so far.
    package init(sha256 hash: SHA256Digest) {
        self.init(algorithm: .sha256, computed: hash.hexDigest())
    }

    /// The digest of what a running hash has seen so far.
    package init(sha512 hash: SHA512Digest) {
        self.init(algorithm: .sha512, computed: hash.hexDigest())
    }
}

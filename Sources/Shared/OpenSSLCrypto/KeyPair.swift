internal import COpenSSL

/// A private signing key with its public half.
///
/// Printing it shows the algorithm only; the private part leaves through ``privatePEM()``.
package struct KeyPair: Sendable, CustomStringConvertible, CustomReflectable {
    let handle: KeyHandle

    /// The public half.
    package let publicKey: PublicKey

    private init(handle: KeyHandle) throws(CryptoError) {
        self.handle = handle
        publicKey = try PublicKey(pem: Self.publicPEM(of: handle))
    }

    /// Reads a PEM private key (PKCS#8, or the older SEC1 and PKCS#1 forms).
    /// - Throws: `.badEncoding` when there is no PEM private key, or it is encrypted; `.badKey` for other kinds of key.
    package init(pem: String) throws(CryptoError) {
        let bio = MemoryBIO(text: pem)
        guard let key = unsafe PEM_read_bio_PrivateKey(bio.pointer, nil, refusePassphrase, nil) else {
            throw CryptoError.fromLibrary(.badEncoding, "read a private key")
        }
        try self.init(handle: unsafe KeyHandle(owning: key))
    }

    /// Makes a new key. An RSA key takes a noticeable part of a second: keep that off busy threads.
    package static func generate(_ algorithm: KeyAlgorithm, rsaBits: Int = 2048) throws(CryptoError) -> KeyPair {
        try KeyPair(handle: KeyHandle.generate(algorithm, rsaBits: rsaBits))
    }

    /// What the key signs with.
    package var algorithm: KeyAlgorithm { handle.algorithm }

    /// The unencrypted PKCS#8 PEM text: a secret.
    package func privatePEM() throws(CryptoError) -> String {
        let bio = MemoryBIO()
        let written = unsafe PEM_write_bio_PKCS8PrivateKey(bio.pointer, handle.pointer, nil, nil, 0, nil, nil)
        try requireSuccess(written, "write a private key")
        return bio.takeText()
    }

    /// Signs a message. ES256 signatures have the 64-byte form of JOSE, not DER.
    package func sign(_ message: some Sequence<UInt8>) throws(CryptoError) -> [UInt8] {
        let signature = try SignatureContext().sign(Array(message), with: handle)
        return algorithm == .es256 ? try ECDSASignature(der: signature).raw : signature
    }

    package var description: String { "KeyPair(\(algorithm.rawValue))" }
    package var customMirror: Mirror { Mirror(self, children: ["algorithm": algorithm.rawValue]) }

    private static func publicPEM(of handle: KeyHandle) throws(CryptoError) -> String {
        let bio = MemoryBIO()
        try requireSuccess(unsafe PEM_write_bio_PUBKEY(bio.pointer, handle.pointer), "write a public key")
        return bio.takeText()
    }
}

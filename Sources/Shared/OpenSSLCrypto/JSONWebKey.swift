/// The public members of a JSON Web Key (RFC 7517), as JWKS documents list them.
package struct JSONWebKey: Sendable, Codable, Hashable {
    /// `EC`, `RSA` or `OKP`.
    package var keyType: String
    /// The curve of an EC or OKP key.
    package var curve: String?
    /// The first coordinate, or the whole Ed25519 key.
    package var x: String?
    /// The second coordinate.
    package var y: String?
    /// The RSA modulus.
    package var modulus: String?
    /// The RSA exponent.
    package var exponent: String?
    /// `sig`.
    package var use: String?
    /// The JOSE name of the signature algorithm.
    package var algorithm: String?
    /// The name by which token headers refer to the key.
    package var keyID: String?

    /// A key of this kind without members yet.
    package init(keyType: String) { self.keyType = keyType }

    private enum CodingKeys: String, CodingKey {
        case keyType = "kty"
        case curve = "crv"
        case x
        case y
        case modulus = "n"
        case exponent = "e"
        case use
        case algorithm = "alg"
        case keyID = "kid"
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members in alphabetical order.
    package var thumbprint: String {
        // Members hold base64url and fixed names only, so no escaping can be needed.
        let members: [(String, String?)] = [
            ("crv", curve), ("e", exponent), ("kty", keyType), ("n", modulus), ("x", x), ("y", y),
        ]
        let present = members.compactMap { name, value in value.map { "\"\(name)\":\"\($0)\"" } }
        return Base64URL.encode(SHA256Digest.hash("{" + present.joined(separator: ",") + "}"))
    }
}

extension PublicKey {
    /// The key as a JSON Web Key for signatures, named by its thumbprint.
    package func jwk() throws(CryptoError) -> JSONWebKey {
        var key = JSONWebKey(keyType: "")
        switch algorithm {
        case .es256:
            key.keyType = "EC"
            key.curve = "P-256"
            key.x = Base64URL.encode(try handle.number("qx", width: 32))
            key.y = Base64URL.encode(try handle.number("qy", width: 32))
        case .rs256:
            key.keyType = "RSA"
            key.modulus = Base64URL.encode(try handle.number("n"))
            key.exponent = Base64URL.encode(try handle.number("e"))
        case .ed25519:
            key.keyType = "OKP"
            key.curve = "Ed25519"
            key.x = Base64URL.encode(try handle.rawPublicBytes())
        }
        key.keyID = key.thumbprint
        key.use = "sig"
        key.algorithm = algorithm.rawValue
        return key
    }

    /// The RFC 7638 thumbprint, used as key id.
    package func thumbprint() throws(CryptoError) -> String { try jwk().thumbprint }
}

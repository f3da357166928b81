import FoundationEssentials
import JWTKit
package import OpenSSLCrypto

/// An issuer's public keys, by key id.
package struct VerificationKeys: Sendable {
    private let collection: JWTKeyCollection
    private let algorithms: [String: KeyAlgorithm]

    /// Takes the keys that can check signatures; keys of unknown kinds or without id are left out,
    /// so that an issuer may publish newer kinds.
    package init(_ keys: [JSONWebKey]) async {
        let collection = JWTKeyCollection()
        var algorithms: [String: KeyAlgorithm] = [:]
        for key in keys where key.use == nil || key.use == "sig" {
            guard let id = key.keyID, let (known, algorithm) = Self.known(key, id: id) else { continue }
            // A key with damaged numbers is as good as absent.
            guard (try? await collection.add(jwk: known)) != nil else { continue }
            algorithms[id] = algorithm
        }
        self.collection = collection
        self.algorithms = algorithms
    }

    /// The ids of the keys.
    package var keyIDs: Set<String> { Set(algorithms.keys) }

    /// The claims of a token whose signature one of the keys proves; nothing else is checked.
    /// - Throws: ``TokenError`` with `.malformed`, `.wrongType`, `.unknownKey` or `.badSignature`.
    package func claims<Claims: Codable & Sendable>(
        of token: String, type: String, as: Claims.Type
    ) async throws(TokenError) -> Claims {
        let header = try TokenHeader(of: token)
        guard header.hasType(type) else { throw TokenError(.wrongType, "The token has another type than \(type).") }
        guard let id = header.keyID, let algorithm = algorithms[id] else {
            throw TokenError(.unknownKey, "The token's key is not among the issuer's.")
        }
        guard header.algorithm == algorithm.rawValue else {
            throw TokenError(.badSignature, "The token names another algorithm than its key has.")
        }
        do {
            return try await collection.verify(token, as: UncheckedPayload<Claims>.self).claims
        } catch let error as JWTError where error.errorType == .signatureVerificationFailed {
            throw TokenError(.badSignature, "The signature does not match.")
        } catch is JWTError {
            throw TokenError(.malformed, "The token cannot be read.")
        } catch {
            throw TokenError(.badSignature, "The signature cannot be checked.")
        }
    }

    private static func known(_ key: JSONWebKey, id: String) -> (JWK, KeyAlgorithm)? {
        let identifier = JWKIdentifier(string: id)
        switch (key.keyType, key.curve) {
        case ("EC", "P-256"):
            return (.ecdsa(.es256, identifier: identifier, x: key.x, y: key.y, curve: .p256), .es256)
        case ("RSA", _):
            return (.rsa(.rs256, identifier: identifier, modulus: key.modulus, exponent: key.exponent), .rs256)
        default: return nil
        }
    }
}

/// Lets the library check the signature only; times, issuer and audience are checked with our own leeway and errors.
private struct UncheckedPayload<Claims: Codable & Sendable>: JWTPayload {
    let claims: Claims

    init(from decoder: any Decoder) throws { claims = try Claims(from: decoder) }

    func encode(to encoder: any Encoder) throws { try claims.encode(to: encoder) }

    func verify(using algorithm: some JWTAlgorithm) {}
}

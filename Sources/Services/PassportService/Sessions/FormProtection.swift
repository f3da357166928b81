import FoundationEssentials
import OpenSSLCrypto

/// Proves that a form was made by us for the browser that sends it.
///
/// A form's token is an HMAC over the browser's form cookie and the session it was shown to: a foreign site knows
/// neither, and a cookie planted from elsewhere yields no token.
struct FormProtection: Sendable {
    private let key: [UInt8]

    init(platformKey: [UInt8]) { key = HMACSHA256.authenticate("passport forms", key: platformKey) }

    func newSecret() -> String { SecureRandom.base64URL(24) }

    func token(secret: String, session: Session?) -> String {
        Base64URL.encode(HMACSHA256.authenticate(message(secret, session), key: key))
    }

    func isValid(_ token: String, secret: String, session: Session?) -> Bool {
        constantTimeEquals(token, self.token(secret: secret, session: session))
    }

    private func message(_ secret: String, _ session: Session?) -> String {
        "\(session?.id.uuidString ?? "anonymous") \(secret)"
    }
}

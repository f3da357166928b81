import AccessTokens
import HTTPTypes
import Hummingbird
import OpenSSLCrypto

/// Finds out which client sends a request and checks its secret (RFC 6749 section 2.3).
struct ClientAuthentication: Sendable {
    let clients: ClientDirectory

    /// The client that proved itself, or a public client that named itself.
    /// - Throws: ``OAuthError`` with `invalid_client`, or `invalid_request` when it used two methods at once.
    func client(of request: Request, _ parameters: OAuthParameters) async throws -> Client {
        let bodySecret = parameters["client_secret"]
        if let header = request.headers[.authorization] {
            guard bodySecret == nil else {
                throw OAuthError(.invalidRequest, "The client authenticates by two methods at once.")
            }
            guard let (id, secret) = Self.basic(header), let client = try await clients.client(id: id),
                client.hasSecret(secret), parameters["client_id"].map({ $0 == id }) ?? true
            else { throw OAuthError.invalidClient(usedHeader: true) }
            return client
        }
        guard let id = parameters["client_id"], let client = try await clients.client(id: id) else {
            throw OAuthError.invalidClient(usedHeader: false)
        }
        if client.isConfidential || bodySecret != nil {
            guard let bodySecret, client.hasSecret(bodySecret) else {
                throw OAuthError.invalidClient(usedHeader: false)
            }
        }
        return client
    }

    /// Id and secret of HTTP Basic, each form-encoded before they were joined.
    private static func basic(_ header: String) -> (id: String, secret: String)? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic",
            // Whatever is wrong with the text, the answer is the same.
            let bytes = try? Base64.decode(parts[1]), let text = String(validating: bytes, as: UTF8.self),
            let colon = text.firstIndex(of: ":"), let id = FormCoding.decode(text[..<colon]),
            let secret = FormCoding.decode(text[text.index(after: colon)...])
        else { return nil }
        return (id, secret)
    }
}

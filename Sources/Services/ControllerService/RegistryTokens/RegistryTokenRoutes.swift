import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import OpenSSLCrypto
import PlatformModel

/// `GET /v2/registry/token`: where registry clients exchange their credentials for a token.
struct RegistryTokenRoutes: Sendable {
    let service: RegistryTokenService

    func addRoutes(to routes: RouteCatalog) {
        routes.open(.get, "/v2/registry/token/", policy: .ownCredentials) { call in
            let (username, password) = try Self.credentials(call.request.headers[.authorization])
            let scopes = call.request.uri.queryParameters[values: "scope"].flatMap { parameter in
                parameter.split(separator: " ").compactMap { RegistryAccess(scope: String($0)) }
            }
            let token = try await service.token(
                username: username, password: password, service: call.query("service") ?? service.service,
                scopes: scopes)
            let text = JSONValue.string(token.token.reveal())
            return try Reply.json([
                "token": text, "access_token": text, "expires_in": .integer(Int(token.lifetime.components.seconds)),
                "issued_at": JSONValue(token.issuedAt),
            ])
        }
    }

    private static func credentials(_ header: String?) throws(Refusal) -> (String, String) {
        let words = header?.split(separator: " ", maxSplits: 1) ?? []
        guard words.count == 2, words[0].lowercased() == "basic" else { throw RegistryTokenService.denied }
        let bytes: [UInt8]
        do throws(CryptoError) {
            bytes = try Base64.decode(words[1])
        } catch {
            throw RegistryTokenService.denied
        }
        guard let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":") else {
            throw RegistryTokenService.denied
        }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
}

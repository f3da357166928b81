import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceHTTP

/// An error answer of the OAuth endpoints that programs call (RFC 6749 section 5.2).
struct OAuthError: Error, HTTPResponseError, Equatable {
    /// The registered error texts.
    enum Code: String, Sendable {
        case insufficientScope = "insufficient_scope"
        case invalidClient = "invalid_client"
        case invalidGrant = "invalid_grant"
        case invalidRequest = "invalid_request"
        case invalidScope = "invalid_scope"
        case invalidToken = "invalid_token"
        case temporarilyUnavailable = "temporarily_unavailable"
        case unauthorizedClient = "unauthorized_client"
        case unsupportedGrantType = "unsupported_grant_type"
        case unsupportedTokenType = "unsupported_token_type"
    }

    let code: Code
    let message: String
    let status: HTTPResponse.Status
    let headers: HTTPFields

    init(_ code: Code, _ message: String, status: HTTPResponse.Status = .badRequest, headers: HTTPFields = [:]) {
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers
    }

    /// The client is unknown or its secret is wrong; a challenge goes with it when the client used the header.
    static func invalidClient(usedHeader: Bool) -> OAuthError {
        OAuthError(
            .invalidClient, "Client authentication failed.", status: .unauthorized,
            headers: usedHeader ? [.wwwAuthenticate: "Basic realm=\"passport\""] : [:])
    }

    /// The access token of a request to a protected resource is missing or not good (RFC 6750 section 3).
    static func bearer(_ code: Code, _ message: String, status: HTTPResponse.Status) -> OAuthError {
        OAuthError(
            code, message, status: status,
            headers: [.wwwAuthenticate: "Bearer error=\"\(code.rawValue)\", error_description=\"\(message)\""])
    }

    /// Too many attempts.
    static func limited(retryAfter seconds: Int) -> OAuthError {
        OAuthError(
            .temporarilyUnavailable, "Too many attempts. Try again in \(seconds) seconds.", status: .tooManyRequests,
            headers: [.retryAfter: String(seconds)])
    }

    /// Too much to do at this moment.
    static let busy = OAuthError(
        .temporarilyUnavailable, "The server is busy. Try again in a moment.", status: .serviceUnavailable,
        headers: [.retryAfter: "2"])

    func response(from request: Request, context: some RequestContext) throws -> Response {
        try JSONReply.response(Body(error: code.rawValue, description: message), status: status, headers: headers)
    }

    private struct Body: Encodable {
        let error: String
        let description: String

        private enum CodingKeys: String, CodingKey {
            case error
            case description = "error_description"
        }
    }
}

/// Answers in JSON that nobody may keep.
enum JSONReply {
    static func response(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:],
        cacheControl: String = "no-store"
    ) throws -> Response {
        var fields = headers
        fields[.contentType] = "application/json; charset=utf-8"
        fields[.cacheControl] = cacheControl
        if cacheControl == "no-store" { fields[.pragma] = "no-cache" }
        let body = ByteBuffer(bytes: try JSONCoding.encoder.encode(value))
        return Response(status: status, headers: fields, body: .init(byteBuffer: body))
    }
}

extension HTTPField.Name {
    static let pragma = HTTPField.Name("Pragma") ?? .cacheControl
}

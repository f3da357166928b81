import HTTPTypes
import PlatformModel
import ServiceHTTP

/// An answer other than success in one of the body shapes the stock command line understands.
///
/// Handlers and rules throw it; ``RefusalMiddleware`` is the only place that renders it.
struct Refusal: Error, Equatable {
    /// What the body looks like; the command line tells these shapes apart.
    enum Body: Sendable, Equatable {
        /// `{"detail": "text"}`
        case detail(String)
        /// `{"field": ["text", …]}`
        case fields([String: [String]])
        /// `["text"]`
        case list([String])
        /// `{"error": {"code": …, "message": …, "details": {}}}`
        case document(code: String, message: String)
        /// Any JSON, for bodies that are passed through or fixed by another contract.
        case json(JSONValue)
        /// An HTML page with this text.
        case page(String)
        case empty
    }

    let code: APIError.Code
    let body: Body
    /// Headers the status demands, such as `WWW-Authenticate` or `Retry-After`.
    var headers: HTTPFields = [:]

    init(_ code: APIError.Code, _ body: Body, headers: HTTPFields = [:]) {
        self.code = code
        self.body = body
        self.headers = headers
    }

    static func == (left: Self, right: Self) -> Bool {
        left.code == right.code && left.body == right.body
    }
}

extension APIError.Code {
    /// A member of the request breaks a rule.
    static let invalid = Self("invalid_request", status: .badRequest)
    /// The body is not JSON.
    static let malformedBody = Self("malformed_body", status: .badRequest)
    /// The body is neither JSON nor a form.
    static let unsupportedBody = Self("unsupported_body", status: .unsupportedMediaType)
    /// The caller is not signed in.
    static let unauthenticated = Self("unauthenticated", status: .unauthorized)
    /// The path exists, the method does not.
    static let methodNotAllowed = Self("method_not_allowed", status: .methodNotAllowed)
    /// Something to be removed is not there, or is in use.
    static let unprocessable = Self("unprocessable", status: .unprocessableContent)
    /// The caller asks too often.
    static let throttled = Self("throttled", status: .tooManyRequests)
    /// Another party holds what was asked for.
    static let locked = Self("locked", status: .init(code: 423, reasonPhrase: "Locked"))
    /// A service behind this one could not be reached.
    static let badGateway = Self("bad_gateway", status: .badGateway)
}

extension Refusal {
    /// Every code this service answers with; a test refuses duplicates.
    static let codes: [APIError.Code] = [
        .invalid, .malformedBody, .bodyTooLarge, .unsupportedBody, .unauthenticated, .forbidden, .notFound,
        .methodNotAllowed, .conflict, .unprocessable, .throttled, .locked, .unavailable, .badGateway, .internalError,
    ]

    /// A 400 whose text the command line shows as it is.
    static func invalid(_ detail: String) -> Self { Self(.invalid, .detail(detail)) }

    static func field(_ name: String, _ texts: String...) -> Self { Self(.invalid, .fields([name: texts])) }

    static func fields(_ fields: [String: [String]]) -> Self { Self(.invalid, .fields(fields)) }

    static func list(_ text: String) -> Self { Self(.invalid, .list([text])) }

    static func forbidden(_ detail: String = "You do not have permission to perform this action.") -> Self {
        Self(.forbidden, .detail(detail))
    }

    /// `No App matches the given query.`
    static func notFound(_ object: String) -> Self {
        Self(.notFound, .document(code: "NOT_FOUND", message: "No \(object) matches the given query."))
    }

    static func conflict(_ detail: String) -> Self { Self(.conflict, .detail(detail)) }

    static func unprocessable(_ detail: String) -> Self { Self(.unprocessable, .detail(detail)) }

    static func unavailable(
        _ detail: String = "Service temporarily unavailable, try again later."
    ) -> Self { Self(.unavailable, .detail(detail)) }

    /// A 401; `scheme` is the one the caller used.
    static func unauthenticated(_ detail: String, scheme: String = "token") -> Self {
        var headers = HTTPFields()
        headers[.wwwAuthenticate] = scheme
        return Self(.unauthenticated, .detail(detail), headers: headers)
    }
}

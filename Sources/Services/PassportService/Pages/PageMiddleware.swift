import HTTPTypes
import Hummingbird
import ServiceHTTP

/// Puts the headers on every answer that keep browsers from doing more than intended.
struct SecurityHeadersMiddleware: RouterMiddleware {
    let isSecure: Bool

    func handle(
        _ request: Request, context: PassportContext, next: (Request, PassportContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        if response.headers[.contentSecurityPolicy] == nil {
            response.headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        response.headers[.frameOptions] = "DENY"
        if isSecure { response.headers[.strictTransportSecurity] = "max-age=31536000" }
        return response
    }
}

/// Shows errors to browsers as pages; programs get them in JSON.
struct PageErrorMiddleware: RouterMiddleware {
    let pages: Pages

    func handle(
        _ request: Request, context: PassportContext, next: (Request, PassportContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            guard Self.wantsPage(request) else { return try error.response(from: request, context: context) }
            return pages.failure(
                error.status, title: Self.title(error.status), text: error.message, reference: context.id,
                headers: error.headers)
        } catch let error as HTTPError where Self.wantsPage(request) {
            return pages.failure(
                error.status, title: Self.title(error.status),
                text: error.status == .notFound ? "There is no page at this address." : "The request cannot be served.",
                reference: context.id)
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        }
    }

    private static func wantsPage(_ request: Request) -> Bool {
        request.headers[.accept]?.contains("text/html") == true
    }

    private static func title(_ status: HTTPResponse.Status) -> String {
        switch status {
        case .badRequest: "This request cannot be used"
        case .forbidden: "Not allowed"
        case .notFound: "Not found"
        case .tooManyRequests: "Too many requests"
        default: status.kind == .serverError ? "Something went wrong" : "The request failed"
        }
    }
}

extension HTTPField.Name {
    static let referrerPolicy = HTTPField.Name("Referrer-Policy") ?? .xContentTypeOptions
    static let frameOptions = HTTPField.Name("X-Frame-Options") ?? .xContentTypeOptions
}

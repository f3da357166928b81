import HTTPTypes
import Hummingbird
import Logging
import Metrics
import PlatformModel
import Postgres
import ServiceHTTP

/// Turns everything a handler throws into one of the API's answers; the only renderer of errors.
struct RefusalMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: ControllerContext, next: (Request, ControllerContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as CancellationError {
            throw error
        } catch {
            let refusal = Self.refusal(for: error, request, context)
            Counter(label: "controller.refusals", dimensions: [("code", refusal.code.text)]).increment()
            return try Self.render(refusal)
        }
    }

    static func render(_ refusal: Refusal) throws -> Response {
        let status = refusal.code.status
        var response =
            switch refusal.body {
            case .detail(let text): try Reply.json(["detail": .string(text)], status: status)
            case .fields(let fields):
                try Reply.json(.object(fields.mapValues { JSONValue($0) }), status: status)
            case .list(let texts): try Reply.json(JSONValue(texts), status: status)
            case .document(let code, let message):
                try Reply.json(
                    ["error": ["code": .string(code), "message": .string(message), "details": [:]]], status: status)
            case .json(let value): try Reply.json(value, status: status)
            case .page(let text): Reply.page(text, status: status)
            case .empty: Response(status: status)
            }
        response.headers.append(contentsOf: refusal.headers)
        return response
    }

    /// Anything that is not a refusal is logged here, once.
    private static func refusal(for error: any Error, _ request: Request, _ context: ControllerContext) -> Refusal {
        switch error {
        case let refusal as Refusal: return refusal
        case let error as APIError: return refusal(for: error, request, context)
        case let error as PostgresError where error.isTransient:
            log(.warning, error, request, context)
            return .unavailable()
        case let error as HTTPError where error.status == .notFound: return .unknownPath
        case let error as HTTPError where error.status.code < 500:
            return Refusal(.init("http_error", status: error.status), .detail(error.body ?? error.status.reasonPhrase))
        default:
            log(.error, error, request, context)
            return Refusal(
                .internalError, .document(code: "INTERNAL_ERROR", message: "An internal error occurred"),
                headers: [:])
        }
    }

    private static func refusal(for error: APIError, _ request: Request, _ context: ControllerContext) -> Refusal {
        if let cause = error.cause { log(.warning, cause, request, context) }
        return Refusal(error.code, .detail(error.message), headers: error.headers)
    }

    private static func log(
        _ level: Logger.Level, _ error: any Error, _ request: Request, _ context: ControllerContext
    ) {
        context.logger.log(
            level: level, "Request failed",
            metadata: ["error": "\(String(reflecting: error))", "route": "\(context.endpointPath ?? "none")"])
    }
}

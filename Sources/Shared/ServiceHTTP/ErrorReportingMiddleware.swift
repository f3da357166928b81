package import Hummingbird
import Logging

/// Turns whatever a handler throws into an answer.
///
/// Errors that render themselves pass through; anything else is logged once and becomes `internal_error` carrying the
/// request id. Cancellation is neither logged nor answered.
package struct ErrorReportingMiddleware<Context: RequestContext>: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as CancellationError {
            throw error
        } catch let error as APIError {
            if let cause = error.cause {
                context.logger.warning(
                    "Request failed",
                    metadata: [
                        "code": "\(error.code)", "error": "\(String(reflecting: cause))",
                        "path": "\(request.uri.path)",
                    ])
            }
            throw error
        } catch let error as any HTTPResponseError {
            throw error
        } catch {
            context.logger.error(
                "Request failed unexpectedly",
                metadata: ["error": "\(String(reflecting: error))", "path": "\(request.uri.path)"])
            throw APIError(
                .internalError,
                message: "An internal error occurred. Give the operator this request id: \(context.id)")
        }
    }
}

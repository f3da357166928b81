import HTTPTypes
package import Hummingbird
package import Logging

/// One line for each request: method, path, status and duration. Health and metrics requests are logged at trace.
package struct AccessLogMiddleware<Context: RequestContext>: RouterMiddleware {
    private let level: Logger.Level

    package init(level: Logger.Level = .debug) { self.level = level }

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard context.logger.logLevel <= level else { return try await next(request, context) }
        let start = ContinuousClock.now
        do {
            let response = try await next(request, context)
            log(request, context, status: response.status, since: start)
            return response
        } catch {
            if let error = error as? any HTTPResponseError {
                log(request, context, status: error.status, since: start)
            }
            throw error
        }
    }

    private func log(
        _ request: Request, _ context: Context, status: HTTPResponse.Status, since start: ContinuousClock.Instant
    ) {
        let isProbe = ["/healthz", "/readiness", "/metrics"].contains(request.uri.path)
        context.logger.log(
            level: isProbe ? .trace : level, "Request served",
            metadata: [
                "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(status.code)",
                "duration": "\(ContinuousClock.now - start)",
            ])
    }
}

package import HTTPTypes
package import Hummingbird
import Metrics

/// Counts and times requests by route template, method and status. Place it outside error reporting.
///
/// Metrics: `http.requests` (counter) and `http.request.duration` (seconds).
package struct HTTPMetricsMiddleware<Context: RequestContext>: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        do {
            let response = try await next(request, context)
            record(request, context, status: response.status.code, since: start)
            return response
        } catch {
            record(request, context, status: (error as? any HTTPResponseError)?.status.code ?? 500, since: start)
            throw error
        }
    }

    private func record(_ request: Request, _ context: Context, status: Int, since start: ContinuousClock.Instant) {
        let dimensions = [
            ("route", context.endpointPath ?? "none"), ("method", request.method.dimension), ("status", "\(status)"),
        ]
        Counter(label: "http.requests", dimensions: dimensions).increment()
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        Timer(label: "http.request.duration", dimensions: Array(dimensions.prefix(2)))
            .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

extension HTTPRequest.Method {
    private static let usual: Set<Self> = [.get, .head, .post, .put, .patch, .delete, .options]

    /// The method as a dimension of metrics, a closed set whatever clients send.
    package var dimension: String { Self.usual.contains(self) ? rawValue : "other" }
}

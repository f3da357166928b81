import HTTPTypes
package import Hummingbird
package import Logging
import Metrics
import PlatformModel
import ServiceHTTP

/// `GET /logs/<app>` and `DELETE /logs/<app>`.
package struct LogRoutes: Sendable {
    private let store: LogStore
    private let limits: QueryLimits
    private let logger: Logger
    private let readDuration = Timer(label: "logger.read.duration")

    package init(store: LogStore, limits: QueryLimits, logger: Logger) {
        self.store = store
        self.limits = limits
        self.logger = logger
    }

    package func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        router.get("/logs/:app") { request, context in
            let app = try Self.app(context)
            let query = try LogQuery(request.uri.queryParameters, limits: limits)
            return query.follow ? try await follow(app, query) : try await read(app, query)
        }
        router.delete("/logs/:app") { _, context in
            try await store.remove(try Self.app(context))
            return HTTPResponse.Status.ok
        }
    }

    private static func app(_ context: some RequestContext) throws -> AppKey {
        do throws(InvalidValue) {
            return try AppKey(context.parameters.get("app") ?? "")
        } catch {
            throw APIError(.badRequest, message: error.message)
        }
    }

    private func read(_ app: AppKey, _ query: LogQuery) async throws -> Response {
        let start = ContinuousClock.now
        defer { readDuration.record(duration: ContinuousClock.now - start) }
        let renderer = LogRenderer(app: app, format: query.format)
        guard let lines = await store.lines(of: app, query), !lines.isEmpty else { return Response(status: .noContent) }
        return Response(
            status: .ok, headers: [.contentType: renderer.contentType],
            body: .init(byteBuffer: try renderer.render(lines)))
    }

    private func follow(_ app: AppKey, _ query: LogQuery) async throws -> Response {
        guard await store.hasRoomForFollowers else {
            throw APIError(
                .unavailable, message: "Too many readers follow logs now; try again later.",
                headers: [.retryAfter: "10"])
        }
        let stream = LogStream(
            store: store, app: app, query: query, heartbeat: limits.heartbeat,
            renderer: LogRenderer(app: app, format: query.format))
        return Response(
            status: .ok,
            headers: [.contentType: stream.renderer.contentType, .cacheControl: "no-store"],
            body: ResponseBody { writer in try await stream.write(to: &writer) })
    }
}

import Hummingbird
import Logging
import ServiceHTTP

/// Answers what a registry is asked: the API's paths directly, those of health and metrics by routes.
///
/// Names of repositories have slashes, which routes cannot tell apart; and finding a route costs more than finding a
/// small blob.
struct RegistryResponder: HTTPResponder {
    private let api: RegistryAPI
    private let log = AccessLogMiddleware<RegistryContext>(level: .info)
    private let others: RouterResponder<RegistryContext>

    init(_ api: RegistryAPI, _ health: HealthRoutes) {
        self.api = api
        let router = Router(context: RegistryContext.self)
        router.add(middleware: log)
        health.addRoutes(to: router)
        others = router.buildResponder()
    }

    func respond(to request: Request, context: RegistryContext) async throws -> Response {
        let path = request.uri.path
        guard path == "/v2" || path.hasPrefix("/v2/") else {
            return try await others.respond(to: request, context: context)
        }
        do {
            return try await log.handle(request, context: context) { request, context in
                try await api.answer(request, to: path, context)
            }
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        }
    }
}

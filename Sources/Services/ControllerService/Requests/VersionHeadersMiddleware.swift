import HTTPTypes
import Hummingbird

/// The platform's version and the headers every answer carries, errors and redirects included.
///
/// The command line compares the API version as text and refuses servers without it.
struct VersionHeadersMiddleware: RouterMiddleware {
    static let apiVersion = "2.3"
    static let platformVersion = "2.3.0"

    static let fields: HTTPFields = {
        var fields = HTTPFields()
        let texts = [
            ("DRYCC_API_VERSION", apiVersion), ("DRYCC_PLATFORM_VERSION", platformVersion),
            ("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"),
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Expose-Headers", "DRYCC_API_VERSION, DRYCC_PLATFORM_VERSION"),
        ]
        for (name, value) in texts {
            guard let name = HTTPField.Name(name) else { continue }
            fields[name] = value
        }
        return fields
    }()

    func handle(
        _ request: Request, context: ControllerContext, next: (Request, ControllerContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers.append(contentsOf: Self.fields)
        return response
    }
}

/// Answers browsers that ask whether they may call the API from another origin.
enum CrossOriginPolicy {
    static func preflight(allowed methods: String) -> Response {
        var response = Response(status: .ok)
        response.headers[.accessControlAllowMethods] = methods
        response.headers[.accessControlAllowHeaders] = "content-type, accept, origin, Authorization, Host"
        response.headers[.accessControlMaxAge] = "86400"
        response.headers[.allow] = methods
        return response
    }
}

import HTTPTypes
import Hummingbird
import PlatformModel

/// The catalogue of sizes, read-only.
struct LimitRoutes: Sendable {
    let catalogue: LimitCatalogue

    func addRoutes(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/limits/specs/") { call in
            let specs = catalogue.specs(matching: call.query("keywords") ?? "")
            return try Self.page(specs.map(\.wire), call, path: "/v2/limits/specs/")
        }
        routes.signedIn(.get, "/v2/limits/specs/{id}/") { call in
            guard let spec = catalogue.spec(try call.parameter("id")) else { throw Refusal.notFound("LimitSpec") }
            return try Reply.json(spec.wire)
        }
        routes.signedIn(.get, "/v2/limits/plans/") { call in
            let plans = catalogue.plans(
                spec: call.query("spec-id").flatMap { $0.isEmpty ? nil : $0 },
                cpu: Self.leadingNumber(call.query("cpu")),
                memory: Self.leadingNumber(call.query("memory")))
            return try Self.page(plans.map(\.wire), call, path: "/v2/limits/plans/")
        }
        routes.signedIn(.get, "/v2/limits/plans/{id}/") { call in
            guard let plan = catalogue.plan(try call.parameter("id")) else { throw Refusal.notFound("LimitPlan") }
            return try Reply.json(plan.wire)
        }
    }

    /// The digits a text begins with; nil when there are none, which matches everything.
    private static func leadingNumber(_ text: String?) -> Int? {
        text.flatMap { Int($0.prefix { $0.isASCII && $0.isNumber }) }
    }

    private static func page(_ items: [JSONValue], _ call: Call<User>, path: String) throws -> Response {
        let request = call.page
        let part = Array(items.dropFirst(request.offset).prefix(request.limit))
        return try Reply.json(
            Page(items: part, total: items.count).wire(request, base: call.origin + path) { $0 })
    }
}

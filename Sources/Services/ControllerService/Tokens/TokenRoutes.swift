import FoundationEssentials
import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// A person's own controller tokens.
struct TokenRoutes: Sendable {
    let database: PostgresPool
    let tokens: TokenStore

    func addRoutes(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/tokens/") { call in
            let page = try await tokens.page(of: call.caller, call.page, in: database)
            return try Reply.json(page.wire(call.page, base: "\(call.origin)/v2/tokens/", item: Self.wire))
        }
        routes.signedIn(.get, "/v2/tokens/{uuid}/") { call in
            let uuid = try Self.uuid(call)
            guard let token = try await tokens.find(uuid, of: call.caller, in: database) else {
                throw Refusal.notFound("Token")
            }
            return try Reply.json(Self.wire(token))
        }
        routes.signedIn(.delete, "/v2/tokens/{uuid}/") { call in
            let uuid = try Self.uuid(call)
            guard try await tokens.delete(uuid, of: call.caller, in: database) else { throw Refusal.notFound("Token") }
            return Reply.noContent
        }
    }

    private static func uuid(_ call: Call<User>) throws -> UUID {
        guard let uuid = UUID(uuidString: try call.parameter("uuid")) else { throw Refusal.notFound("Token") }
        return uuid
    }

    private static func wire(_ token: Token) -> JSONValue {
        [
            "uuid": JSONValue(token.uuid), "owner": .string(token.owner), "alias": .string(token.alias),
            "fuzzy_key": .string(token.fuzzyKey), "created": JSONValue(token.created),
            "updated": JSONValue(token.updated),
        ]
    }
}

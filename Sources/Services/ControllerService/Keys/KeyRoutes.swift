import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// A person's own SSH keys.
struct KeyRoutes: Sendable {
    static let prefix = "/v2/keys/"

    let database: PostgresPool
    private let keys = KeyStore()

    init(database: PostgresPool) { self.database = database }

    func addRoutes(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/keys/") { call in
            let page = try await keys.page(of: call.caller, call.page, in: database)
            return try Reply.json(page.wire(call.page, base: call.origin + Self.prefix, item: Self.wire))
        }
        routes.signedIn(.post, "/v2/keys/") { call in
            var form = try await call.form()
            let id = form.text("id", limit: 128)
            let text = form.text("public")
            try form.validated()
            let key = try await keys.insert(id: id, try SSHPublicKey(text), owner: call.caller, in: database)
            return try Reply.created(Self.wire(key))
        }
        routes.signedIn(.get, "/v2/keys/**") { call in
            guard let key = try await keys.find(try Self.id(call), of: call.caller, in: database) else {
                throw Refusal.notFound("Key")
            }
            return try Reply.json(Self.wire(key))
        }
        routes.signedIn(.delete, "/v2/keys/**") { call in
            guard try await keys.delete(try Self.id(call), of: call.caller, in: database) else {
                throw Refusal.notFound("Key")
            }
            return Reply.noContent
        }
    }

    /// A key's name is the rest of the path: it may hold slashes, which the client leaves as they are.
    private static func id(_ call: Call<User>) throws -> String {
        var rest = call.request.uri.path.dropFirst(prefix.count)
        if rest.last == "/" { rest = rest.dropLast() }
        guard let id = PercentCoding.decode(rest), !id.utf8.contains(0) else { throw Refusal.notFound("Key") }
        return id
    }

    private static func wire(_ key: UserKey) -> JSONValue {
        [
            "uuid": JSONValue(key.uuid), "owner": .string(key.owner), "created": JSONValue(key.created),
            "updated": JSONValue(key.updated), "id": .string(key.id), "public": .string(key.publicKey),
            "fingerprint": .string(key.fingerprint),
        ]
    }
}

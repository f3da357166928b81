import FoundationEssentials
import HTTPTypes
import Hummingbird
import PlatformModel
import ServiceHTTP

/// The sign-in of the command line (controller API 1.5), and who one is.
struct LoginRoutes: Sendable {
    let service: LoginService

    func addRoutes(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/") { call in try root(call) }
        routes.open(.post, "/v2/auth/login/") { call in try await login(call) }
        routes.open(.get, "/v2/auth/token/{key}/", policy: .loginPolling) { call in try await collect(call) }
        routes.open(.post, "/v2/auth/token/") { call in try await exchange(call) }
        routes.open(.get, "/v2/login/drycc/") { call in try await openBrowser(call) }
        routes.open(.get, LoginService.callbackPath) { call in try await complete(call) }
        routes.signedIn(.get, "/v2/auth/whoami/") { call in try Reply.json(Self.wire(call.caller)) }
    }

    private func root(_ call: Call<User>) throws -> Response {
        let names = ["workspaces", "apps", "keys", "tokens", "limits/specs", "limits/plans"]
        let links = Dictionary(uniqueKeysWithValues: names.map { ($0, JSONValue.string("\(call.origin)/v2/\($0)/")) })
        return try Reply.json(.object(links))
    }

    private func login(_ call: Call<Anonymous>) async throws -> Response {
        var form = try await call.form()
        guard form.has("username") || form.has("password") else {
            let key = try await service.beginInBrowser()
            return Reply.redirect(to: "\(call.origin)/v2/login/drycc/?key=\(key)")
        }
        let username = form.text("username", limit: 254)
        let password = form.text("password", limit: 1024)
        try form.validated()
        let key = try await service.signIn(username: username, password: Secret(password))
        return try Reply.json(["key": .string(key)])
    }

    private func openBrowser(_ call: Call<Anonymous>) async throws -> Response {
        let key = call.query("key") ?? ""
        return Reply.redirect(to: try await service.authorizationURL(key: key, origin: call.origin))
    }

    private func complete(_ call: Call<Anonymous>) async throws -> Response {
        guard let state = call.query("state"), let code = call.query("code") else {
            throw Refusal(.invalid, .page("The sign-in was not completed. Run drycc login again."))
        }
        try await service.complete(state: state, code: code, origin: call.origin)
        guard let donePage = service.donePage else {
            return Reply.page("You are signed in. You can close this window.", status: .ok)
        }
        return Reply.redirect(to: donePage)
    }

    private func collect(_ call: Call<Anonymous>) async throws -> Response {
        let alias = try Self.alias(call)
        guard let issued = try await service.collect(key: try call.parameter("key"), alias: alias) else {
            throw Refusal(.notFound, .empty)
        }
        return try Self.answer(issued)
    }

    private func exchange(_ call: Call<Anonymous>) async throws -> Response {
        let alias = try Self.alias(call)
        let members = try await call.members()
        guard members["access_token"]?.stringValue?.isEmpty == false else { throw Refusal(.notFound, .empty) }
        let oauth: OAuthTokens
        do {
            oauth = try JSONCoding.decoder.decode(
                OAuthTokens.self, from: JSONCoding.encoder.encode(JSONValue.object(members)))
        } catch {
            throw Refusal(.invalid, .empty)
        }
        return try Self.answer(try await service.exchange(oauth, alias: alias))
    }

    private static func alias(_ call: Call<Anonymous>) throws -> String {
        let alias = call.query("alias") ?? ""
        guard alias.unicodeScalars.count <= 32, !alias.utf8.contains(0) else {
            throw Refusal.field("alias", "Ensure this field has no more than 32 characters.")
        }
        return alias
    }

    private static func answer(_ issued: LoginService.Issued) throws -> Response {
        try Reply.json(
            ["uuid": JSONValue(issued.uuid), "token": .string(issued.key), "username": .string(issued.username)])
    }

    private static func wire(_ user: User) -> JSONValue {
        [
            "id": .integer(user.id), "email": .string(user.email), "username": .string(user.username),
            "first_name": .string(user.firstName), "last_name": .string(user.lastName),
            "is_superuser": .bool(user.isSuperuser), "is_staff": .bool(user.isStaff), "groups": [],
            "user_permissions": [], "last_login": JSONValue(user.lastLogin), "date_joined": JSONValue(user.dateJoined),
            "is_active": .bool(user.isActive),
        ]
    }
}

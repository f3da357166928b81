import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// Host names of apps. The routing table follows the rows by itself.
struct DomainRoutes: Sendable {
    let database: PostgresPool
    let platformDomain: String
    let log: AppLog
    private let domains = DomainStore()

    init(database: PostgresPool, platformDomain: String, log: AppLog) {
        self.database = database
        self.platformDomain = platformDomain
        self.log = log
    }

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/domains/", .viewer) { call in
            let app = call.caller.app
            let page = try await domains.page(of: app.uuid, call.page, in: database)
            let base = "\(call.origin)/v2/apps/\(app.id)/domains/"
            return try Reply.json(page.wire(call.page, base: base) { Self.wire($0, app) })
        }
        routes.app(.post, "/v2/apps/{app}/domains/", .member) { call in
            let app = call.caller.app
            var form = try await call.form()
            let text = form.text("domain")
            let ptype = form.text("ptype", limit: 63)
            if !ptype.isEmpty, let problem = ConfigRule.ptype(ptype) { form.refuse("ptype", problem) }
            try form.validated()
            let name = try DomainRule.normalize(text)
            try refusePlatformNames(name)
            let domain = try await domains.insert(name, given: text, ptype: ptype, app: app.uuid, in: database)
            log.write("domain \(domain.domain) added", to: app.id)
            return try Reply.created(Self.wire(domain, app))
        }
        routes.app(.delete, "/v2/apps/{app}/domains/{domain}/", .admin) { call in
            let app = call.caller.app
            let name: String
            do throws(Refusal) {
                name = try DomainRule.normalize(try call.parameter("domain"))
            } catch {
                // A name that cannot be stored is one the app does not have.
                throw Refusal.notFound("Domain")
            }
            guard try await domains.delete(name, app: app.uuid, in: database) else { throw Refusal.notFound("Domain") }
            log.write("domain \(name) removed", to: app.id)
            return Reply.noContent
        }
    }

    /// Names below the platform's own domain belong to the platform and to apps by their ids.
    private func refusePlatformNames(_ name: String) throws(Refusal) {
        let bare = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
        guard bare != platformDomain, !bare.hasSuffix(".\(platformDomain)") else {
            throw .field("domain", "Domain is already in use by another application")
        }
    }

    private static func wire(_ domain: Domain, _ app: App) -> JSONValue {
        [
            "created": JSONValue(domain.created), "updated": JSONValue(domain.updated), "app": .string(app.id.text),
            "domain": .string(domain.domain), "ptype": .string(domain.ptype),
        ]
    }
}

import HTTPTypes
import Hummingbird
import PlatformModel

/// Apps themselves: list, create, read, transfer, destroy, run.
struct AppRoutes: Sendable {
    let service: AppService

    func addRoutes(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/apps/") { call in try await list(call) }
        routes.signedIn(.post, "/v2/apps/") { call in try await create(call) }
        routes.app(.get, "/v2/apps/{app}/", .viewer, itself: true) { call in try Reply.json(Self.wire(call.caller.app))
        }
        for method in [HTTPRequest.Method.put, .patch] {
            routes.app(method, "/v2/apps/{app}/", .member, itself: true) { call in
                let members = try await call.members()
                guard let workspace = members["workspace"]?.stringValue, !workspace.isEmpty else {
                    throw Refusal.list("workspace is required")
                }
                try await service.transfer(call.caller, to: workspace)
                return Reply.noContent
            }
        }
        routes.app(.delete, "/v2/apps/{app}/", .admin, itself: true) { call in
            try await service.destroy(call.caller)
            return Reply.noContent
        }
        routes.app(.post, "/v2/apps/{app}/run/", .member, itself: true) { call in try await run(call) }
    }

    private func list(_ call: Call<User>) async throws -> Response {
        let workspace = call.query("workspace").flatMap { $0.isEmpty ? nil : $0 }
        let search = call.query("search") ?? ""
        let page = try await service.page(for: call.caller, workspace: workspace, prefix: search, call.page)
        let query = [("workspace", workspace ?? ""), ("search", search)].filter { !$0.1.isEmpty }
        return try Reply.json(
            page.wire(call.page, base: "\(call.origin)/v2/apps/", query: query, item: Self.wire))
    }

    private func create(_ call: Call<User>) async throws -> Response {
        var form = try await call.form()
        let workspace = form.text("workspace")
        let structure = Self.structure(&form)
        var name: AppName?
        do throws(Refusal) {
            if let id = form.optionalText("id", blankAllowed: false) {
                name = try AppNameRule.check(id)
            } else if form.problems["id"] == nil {
                name = try AppNameRule.generate()
            }
        } catch {
            if case .fields(let fields) = error.body, let text = fields["id"]?.first { form.refuse("id", text) }
        }
        try form.validated()
        guard let name else { throw Refusal.field("id", "This field may not be blank.") }
        let app = try await service.create(name, workspace: workspace, structure: structure, by: call.caller)
        return try Reply.created(Self.wire(app))
    }

    private static func structure(_ form: inout Form) -> Structure {
        var counts: [String: Int] = [:]
        for (ptype, value) in form.optionalObject("structure") ?? [:] {
            if let problem = ProcessTypeRule.problem(with: ptype) {
                form.refuse("structure", problem)
            } else if let count = value.integerValue, (0...ProcessRule.largestCount).contains(count) {
                counts[ptype] = count
            } else {
                form.refuse("structure", "Must be greater than or equal to zero")
            }
        }
        return Structure(counts)
    }

    private func run(_ call: Call<AppMember>) async throws -> Response {
        var form = try await call.form()
        let command = form.optionalText("command", limit: 8192) ?? ""
        let ptype = form.optionalText("ptype") ?? "run"
        let timeout = form.optionalInteger("timeout") ?? 3600
        let expires = form.optionalInteger("expires") ?? 3600
        if !(1...86_400).contains(timeout) { form.refuse("timeout", "timeout needs to be between 1 and 86400") }
        if expires < 0 { form.refuse("expires", "expires needs to be 0 or higher") }
        if let problem = ConfigRule.ptype(ptype) { form.refuse("ptype", problem) }
        let volumes = form.optionalObject("volumes") ?? [:]
        try form.validated()
        guard volumes.isEmpty else { throw Refusal.invalid("volumes are not available on this platform") }
        guard !command.allSatisfy(\.isWhitespace) else {
            throw Refusal.invalid("command is a required field, or it can be defined in Procfile")
        }
        try await service.run(
            .init(command: command, ptype: ptype, timeout: timeout, expires: expires), in: call.caller)
        return Reply.noContent
    }

    static func wire(_ app: App) -> JSONValue {
        [
            "uuid": JSONValue(app.uuid), "id": .string(app.id.text), "uid": .integer(app.uid),
            "workspace": .string(app.workspace.text), "structure": JSONValue(app.structure.counts),
            "created": JSONValue(app.created), "updated": JSONValue(app.updated),
        ]
    }
}

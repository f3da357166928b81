import HTTPTypes
import Hummingbird
import PlatformModel

/// Workspaces, their members and invitations.
struct WorkspaceRoutes: Sendable {
    let service: WorkspaceService
    /// Where people register; shown to those who accept an invitation.
    let registrationPage: String

    func addRoutes(to routes: RouteCatalog) {
        addWorkspaces(to: routes)
        addMembers(to: routes)
        addInvitations(to: routes)
    }

    private func addWorkspaces(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/workspaces/") { call in
            let page = try await service.page(for: call.caller, call.page)
            return try Reply.json(page.wire(call.page, base: "\(call.origin)/v2/workspaces/", item: \.wire))
        }
        routes.signedIn(.post, "/v2/workspaces/") { call in
            let (name, email) = try await Self.newWorkspace(call)
            return try Reply.created(try await service.create(name, email: email, by: call.caller).wire)
        }
        routes.signedIn(.get, "/v2/workspaces/{workspace}/") { call in
            try Reply.json(try await memberAccess(call).workspace.wire)
        }
        for method in [HTTPRequest.Method.put, .patch] {
            routes.signedIn(method, "/v2/workspaces/{workspace}/") { call in
                let access = try await memberAccess(call)
                try service.checkMayUpdate(access)
                var form = try await call.form()
                let email = Self.email(&form)
                try form.validated()
                return try Reply.json(try await service.update(access, email: email).wire)
            }
        }
        routes.signedIn(.delete, "/v2/workspaces/{workspace}/") { call in
            try await service.delete(try await memberAccess(call))
            return Reply.noContent
        }
    }

    private func addMembers(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/workspaces/{workspace}/members/") { call in
            let access = try await access(call)
            let page = try await service.members(access, call.page)
            let base = "\(call.origin)/v2/workspaces/\(access.workspace.id)/members/"
            return try Reply.json(page.wire(call.page, base: base, item: \.wire))
        }
        routes.signedIn(.get, "/v2/workspaces/{workspace}/members/{username}/") { call in
            let access = try await access(call)
            return try Reply.json(try await service.member(try call.parameter("username"), access).wire)
        }
        routes.signedIn(.patch, "/v2/workspaces/{workspace}/members/{username}/") { call in
            let access = try await memberAccess(call)
            var form = try await call.form()
            let alerts = form.optionalFlag("alerts")
            let text = form.optionalText("role")
            let role = text.flatMap(Role.init(rawValue:))
            if let text, role == nil { form.refuse("role", "\"\(text)\" is not a valid choice.") }
            try form.validated()
            let member = try await service.update(
                try call.parameter("username"), role: role, alerts: alerts, access)
            return try Reply.json(member.wire)
        }
        routes.signedIn(.delete, "/v2/workspaces/{workspace}/members/{username}/") { call in
            try await service.remove(try call.parameter("username"), try await memberAccess(call))
            return Reply.noContent
        }
    }

    private func addInvitations(to routes: RouteCatalog) {
        routes.signedIn(.get, "/v2/workspaces/{workspace}/invitations/") { call in
            let access = try await access(call)
            let page = try await service.invitations(access, call.page)
            let base = "\(call.origin)/v2/workspaces/\(access.workspace.id)/invitations/"
            return try Reply.json(page.wire(call.page, base: base, item: \.wire))
        }
        routes.signedIn(.post, "/v2/workspaces/{workspace}/invitations/") { call in
            let access = try await memberAccess(call)
            try service.checkMayInvite(access)
            var form = try await call.form()
            let email = Self.email(&form)
            try form.validated()
            return try Reply.created(try await service.invite(email, access).wire)
        }
        routes.open(.get, "/v2/workspaces/{workspace}/invitations/{token}/") { call in try await accept(call) }
        routes.signedIn(.delete, "/v2/workspaces/{workspace}/invitations/{token}/") { call in
            try await service.revoke(token: try call.parameter("token"), try await memberAccess(call))
            return Reply.noContent
        }
    }

    private func accept(_ call: Call<Anonymous>) async throws -> Response {
        let workspace = try call.parameter("workspace")
        let isKnown = try await service.accept(token: try call.parameter("token"), of: workspace)
        if call.request.headers[.accept]?.contains("text/html") == true {
            return Reply.page(
                isKnown ? "You are now a member of \(workspace)." : "Register to become a member of \(workspace).",
                status: .ok)
        }
        return try Reply.json([
            "workspace_id": .string(workspace), "user_exists": .bool(isKnown),
            "register_url": .string(registrationPage),
        ])
    }

    private func access(_ call: Call<User>) async throws -> WorkspaceService.Access {
        try await service.access(try call.parameter("workspace"), by: call.caller)
    }

    private func memberAccess(_ call: Call<User>) async throws -> WorkspaceService.Access {
        try await service.memberAccess(try call.parameter("workspace"), by: call.caller)
    }

    private static func newWorkspace(_ call: Call<User>) async throws -> (WorkspaceName, String) {
        var members = try await call.members()
        // Older clients call the id a name.
        if members["id"] == nil { members["id"] = members["name"] }
        var form = Form(members)
        let id = form.text("id", limit: 150)
        let email = email(&form)
        var name: WorkspaceName?
        if !id.isEmpty {
            do throws(InvalidValue) {
                name = try WorkspaceName(id)
            } catch {
                form.refuse("id", error.message)
            }
            if ReservedNames.standard.contains(id) { form.refuse("id", ReservedNames.sentence(id)) }
        }
        try form.validated()
        guard let name else { throw Refusal.field("id", "This field is required.") }
        return (name, email)
    }

    private static func email(_ form: inout Form) -> String {
        let email = form.text("email", limit: 254)
        if !email.isEmpty, !MailAddressRule.isValid(email) { form.refuse("email", MailAddressRule.sentence) }
        return email
    }
}

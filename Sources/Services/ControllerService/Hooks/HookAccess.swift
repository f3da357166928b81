import PlatformModel
import Postgres
import ServiceHTTP

/// Checks what a person may do with an app when a machine asks on their behalf.
struct HookAccess: Sendable {
    let database: PostgresPool

    /// - Throws: ``Refusal`` 404 for unknown people and apps, 403 with an empty body when the role does not suffice.
    func member(username: String, app text: String, atLeast role: Role) async throws -> AppMember {
        guard let name = AppName(ifValid: text), let user = try await UserStore().find(username: username, in: database)
        else { throw Refusal.notFound("App") }
        guard let found = try await AppStore().find(named: name, for: user, in: database) else {
            throw Refusal.notFound("App")
        }
        guard user.isActive, user.isOperator || found.role.map({ $0 >= role }) ?? false else {
            throw Refusal(.forbidden, .empty)
        }
        return AppMember(user: user, app: found.app, role: found.role)
    }
}

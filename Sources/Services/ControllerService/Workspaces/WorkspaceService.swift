import PlatformModel
import Postgres

/// Workspaces and who belongs to them.
struct WorkspaceService: Sendable {
    let database: PostgresPool
    private let workspaces = WorkspaceStore()
    private let members = MemberStore()
    private let invitations = InvitationStore()

    init(database: PostgresPool) { self.database = database }

    /// A workspace and the caller's role in it.
    struct Access: Sendable {
        let workspace: Workspace
        let user: User
        let role: Role?

        var isAdmin: Bool { role == .admin }
    }

    /// - Throws: ``Refusal`` 404 for unknown workspaces.
    func access(_ name: String, by user: User) async throws -> Access {
        guard let found = try await workspaces.find(name, for: user, in: database) else {
            throw Refusal.notFound("Workspace")
        }
        return Access(workspace: found.workspace, user: user, role: found.role)
    }

    /// - Throws: ``Refusal`` 404 for everybody who is no member.
    func memberAccess(_ name: String, by user: User) async throws -> Access {
        let access = try await access(name, by: user)
        guard access.role != nil else { throw Refusal.notFound("Workspace") }
        return access
    }

    func page(for user: User, _ page: PageRequest) async throws -> Page<Workspace> {
        try await workspaces.page(for: user, page, in: database)
    }

    func create(_ name: WorkspaceName, email: String, by user: User) async throws -> Workspace {
        try await database.withTransaction { transaction in
            let workspace = try await workspaces.insert(name, email: email, in: transaction)
            try await members.insert(user.id, role: .admin, into: workspace.uuid, in: transaction)
            return workspace
        }
    }

    /// Asked before the body is read, so that a body tells nobody more than the permission does.
    func checkMayUpdate(_ access: Access) throws(Refusal) {
        guard access.isAdmin else { throw Refusal.forbidden("Only workspace admins can update workspaces") }
    }

    func update(_ access: Access, email: String) async throws -> Workspace {
        try checkMayUpdate(access)
        return try await workspaces.update(access.workspace.uuid, email: email, in: database)
    }

    func delete(_ access: Access) async throws {
        guard access.isAdmin else { throw Refusal.forbidden("Only workspace admins can delete workspaces") }
        try await database.withTransaction { transaction in
            try await members.lock(access.workspace.uuid, in: transaction)
            guard try await members.count(of: access.workspace.uuid, in: transaction) == 1 else {
                throw Refusal.forbidden("Cannot delete workspace with more than one member")
            }
            let apps = try await workspaces.appNames(of: access.workspace.uuid, in: transaction)
            guard apps.isEmpty else {
                // Deleting rows alone would leave the apps running; a 400 is shown to the user, a 403 is not.
                throw Refusal.invalid(
                    "Workspace '\(access.workspace.id)' still has apps, destroy or transfer them first: "
                        + apps.map(\.text).joined(separator: ", "))
            }
            try await workspaces.delete(access.workspace.uuid, in: transaction)
        }
    }

    func members(_ access: Access, _ page: PageRequest) async throws -> Page<WorkspaceMember> {
        guard access.role != nil else { return Page(items: [], total: 0) }
        return try await members.page(of: access.workspace.uuid, page, in: database)
    }

    func member(_ username: String, _ access: Access) async throws -> WorkspaceMember {
        guard access.role != nil,
            let member = try await members.find(username, of: access.workspace.uuid, in: database)
        else { throw Refusal.notFound("WorkspaceMember") }
        return member
    }

    /// Changes role or alerts of a member; people who are no admins may change their own alerts only.
    func update(_ username: String, role: Role?, alerts: Bool?, _ access: Access) async throws -> WorkspaceMember {
        let uuid = access.workspace.uuid
        return try await database.withTransaction { transaction in
            try await members.lock(uuid, in: transaction)
            guard let member = try await members.find(username, of: uuid, in: transaction) else {
                throw Refusal.notFound("WorkspaceMember")
            }
            if !access.isAdmin {
                guard member.userID == access.user.id else {
                    throw Refusal.forbidden("Only workspace admins can update other members")
                }
                guard role == nil || role == member.role else { throw Refusal.forbidden("Cannot modify your own role") }
            }
            if let role, role != member.role, try await members.count(of: uuid, in: transaction) == 1 {
                throw Refusal.forbidden("Cannot modify role: workspace only has one member")
            }
            try await members.update(
                member.id, role: role ?? member.role, alerts: alerts ?? member.alerts, in: transaction)
            guard let updated = try await members.find(username, of: uuid, in: transaction) else {
                throw Refusal.notFound("WorkspaceMember")
            }
            return updated
        }
    }

    func remove(_ username: String, _ access: Access) async throws {
        let uuid = access.workspace.uuid
        try await database.withTransaction { transaction in
            try await members.lock(uuid, in: transaction)
            guard let member = try await members.find(username, of: uuid, in: transaction) else {
                throw Refusal.notFound("WorkspaceMember")
            }
            guard access.isAdmin || member.userID == access.user.id else {
                throw Refusal.forbidden("Only workspace admins can remove other members")
            }
            guard try await members.count(of: uuid, in: transaction) > 1 else {
                throw Refusal.forbidden("Cannot delete: workspace only has one member")
            }
            try await members.delete(member.id, in: transaction)
        }
    }

    func invitations(_ access: Access, _ page: PageRequest) async throws -> Page<WorkspaceInvitation> {
        guard access.role != nil else { return Page(items: [], total: 0) }
        return try await invitations.page(of: access.workspace.uuid, page, in: database)
    }

    /// Invites an address. As this installation sends no mail, the invitation counts as accepted at once.
    /// Asked before the body is read.
    func checkMayInvite(_ access: Access) throws(Refusal) {
        guard access.isAdmin else { throw Refusal.forbidden("Only workspace admins can create invitations") }
    }

    func invite(_ email: String, _ access: Access) async throws -> WorkspaceInvitation {
        try checkMayInvite(access)
        let uuid = access.workspace.uuid
        return try await database.withTransaction { transaction in
            guard try await !members.hasMember(withEmail: email, in: uuid, in: transaction) else {
                throw Refusal.list("User is already a member of the workspace")
            }
            let invitation = try await invitations.invite(email: email, to: uuid, by: access.user, in: transaction)
            _ = try await invitations.accept(
                token: invitation.token, of: access.workspace.id.text, in: transaction)
            return invitation
        }
    }

    /// - Returns: whether the person invited is known already.
    func accept(token: String, of workspace: String) async throws -> Bool {
        try await database.withTransaction { transaction in
            guard let isKnown = try await invitations.accept(token: token, of: workspace, in: transaction) else {
                throw Refusal.notFound("WorkspaceInvitation")
            }
            return isKnown
        }
    }

    func revoke(token: String, _ access: Access) async throws {
        guard access.isAdmin else { throw Refusal.forbidden("Only workspace admins can revoke invitations") }
        guard try await invitations.delete(token: token, of: access.workspace.uuid, in: database) else {
            throw Refusal.notFound("WorkspaceInvitation")
        }
    }
}

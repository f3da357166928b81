import FoundationEssentials
import PlatformModel

/// Owns apps; people belong to it with a role.
struct Workspace: Sendable, Equatable {
    let uuid: UUID
    let id: WorkspaceName
    let uid: Int
    let email: String
    let created: Date
    let updated: Date

    var wire: JSONValue {
        [
            "uuid": JSONValue(uuid), "created": JSONValue(created), "updated": JSONValue(updated),
            "id": .string(id.text), "uid": .integer(uid), "email": .string(email),
        ]
    }
}

/// A person's place in a workspace.
struct WorkspaceMember: Sendable, Equatable {
    let id: Int
    let userID: Int
    let username: String
    let email: String
    let workspace: String
    let role: Role
    let alerts: Bool
    let created: Date
    let updated: Date

    var wire: JSONValue {
        [
            "id": .integer(id), "user": .string(username), "email": .string(email), "workspace": .string(workspace),
            "role": .string(role.rawValue), "alerts": .bool(alerts), "created": JSONValue(created),
            "updated": JSONValue(updated),
        ]
    }
}

/// A place offered to whoever owns an address.
struct WorkspaceInvitation: Sendable, Equatable {
    let id: Int
    let inviter: String
    let workspace: String
    let email: String
    let token: String
    let created: Date
    let accepted: Bool

    var wire: JSONValue {
        [
            "id": .integer(id), "inviter": .string(inviter), "workspace": .string(workspace), "email": .string(email),
            "token": .string(token), "created": JSONValue(created), "accepted": .bool(accepted),
        ]
    }
}

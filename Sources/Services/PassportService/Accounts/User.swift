import FoundationEssentials

/// A person's account.
struct User: Sendable, Hashable {
    let id: Int
    let username: String
    let email: String
    let isEmailVerified: Bool
    let firstName: String
    let lastName: String
    let isSuperuser: Bool
    let isStaff: Bool
    let isActive: Bool

    /// First and last name, or the user name when there is neither.
    var displayName: String {
        let full = [firstName, lastName].filter { !$0.isEmpty }.joined(separator: " ")
        return full.isEmpty ? username : full
    }

    /// The subject of this person's tokens.
    var subject: String { String(id) }
}

/// An account to be made.
struct NewUser: Sendable {
    var username: String
    var email: String
    var firstName = ""
    var lastName = ""
    var isAdministrator = false
}

import FoundationEssentials
import PlatformModel

/// A person as the identity provider described them last.
struct User: Sendable, Equatable {
    let id: Int
    let username: String
    let email: String
    let firstName: String
    let lastName: String
    let isStaff: Bool
    let isSuperuser: Bool
    let isActive: Bool
    let lastLogin: Date
    let dateJoined: Date

    /// Staff and superusers pass every check on an app.
    var isOperator: Bool { isSuperuser || isStaff }
}

/// What the provider's userinfo endpoint says about a person.
struct UserInfo: Sendable, Equatable, Decodable {
    let id: Int
    let username: String
    let email: String
    let emailVerified: Bool
    let firstName: String
    let lastName: String
    let isSuperuser: Bool
    let isStaff: Bool
    let isActive: Bool

    private enum CodingKeys: String, CodingKey {
        case id
        case username
        case preferredUsername = "preferred_username"
        case email
        case emailVerified = "email_verified"
        case firstName = "first_name"
        case lastName = "last_name"
        case isSuperuser = "is_superuser"
        case isStaff = "is_staff"
        case isActive = "is_active"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(Int.self, forKey: .id)
        username =
            try container.decodeIfPresent(String.self, forKey: .username)
            ?? container.decode(String.self, forKey: .preferredUsername)
        email = try container.decodeIfPresent(String.self, forKey: .email) ?? ""
        emailVerified = try container.decodeIfPresent(Bool.self, forKey: .emailVerified) ?? false
        firstName = try container.decodeIfPresent(String.self, forKey: .firstName) ?? ""
        lastName = try container.decodeIfPresent(String.self, forKey: .lastName) ?? ""
        isSuperuser = try container.decodeIfPresent(Bool.self, forKey: .isSuperuser) ?? false
        isStaff = try container.decodeIfPresent(Bool.self, forKey: .isStaff) ?? false
        isActive = try container.decodeIfPresent(Bool.self, forKey: .isActive) ?? true
    }

    init(
        id: Int, username: String, email: String, emailVerified: Bool = true, isSuperuser: Bool = false,
        isStaff: Bool = false, isActive: Bool = true
    ) {
        self.id = id
        self.username = username
        self.email = email
        self.emailVerified = emailVerified
        self.firstName = ""
        self.lastName = ""
        self.isSuperuser = isSuperuser
        self.isStaff = isStaff
        self.isActive = isActive
    }
}

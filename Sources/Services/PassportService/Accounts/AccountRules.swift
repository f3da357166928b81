import PlatformModel

/// Why an account cannot be made or changed; the message is for the person at the form.
struct AccountError: Error, Equatable, CustomStringConvertible {
    let description: String

    static let usernameTaken = AccountError(description: "A user with that username already exists.")
    static let emailTaken = AccountError(description: "A user with that e-mail address already exists.")
    static let usernameReserved = AccountError(description: "This username is reserved. Choose another one.")
    static let invalidEmail = AccountError(description: "Enter a valid e-mail address.")
    static let shortPassword = AccountError(description: "The password must have at least 8 characters.")
    static let longPassword = AccountError(description: "The password must have at most 256 characters.")
    static let passwordIsName = AccountError(description: "The password must not be the username or e-mail address.")
    static let differentPasswords = AccountError(description: "The two passwords differ.")
    static let longName = AccountError(description: "A name may have at most 150 characters.")
}

/// What accounts may be called and which passwords they may have.
enum AccountRules {
    private static let longestName = 150
    private static let passwordLengths = 8...256

    /// Names that become workspaces and namespaces, and so must not collide with the platform's own.
    private static let reservedNames: Set = [
        "backup", "catalog", "cert-manager", "default", "drycc", "grant", "istio", "kube", "longhorn-system", "metallb",
        "mount-s3", "topolvm", "rook-ceph", "personal",
    ]
    private static let reservedPrefixes = ["drycc-", "istio-", "kube-"]

    /// Checks a whole account with its password.
    /// - Parameter allowsReserved: for accounts the operator makes.
    static func check(_ user: NewUser, password: String, allowsReserved: Bool = false) throws(AccountError) {
        try check(username: user.username, allowsReserved: allowsReserved)
        try check(email: user.email)
        guard user.firstName.count <= longestName, user.lastName.count <= longestName else { throw .longName }
        try check(password: password, username: user.username, email: user.email)
    }

    static func check(password: String, username: String, email: String) throws(AccountError) {
        guard password.count >= passwordLengths.lowerBound else { throw .shortPassword }
        guard password.count <= passwordLengths.upperBound else { throw .longPassword }
        let lowered = password.lowercased()
        guard lowered != username.lowercased(), lowered != email.lowercased() else { throw .passwordIsName }
    }

    private static func check(username: String, allowsReserved: Bool) throws(AccountError) {
        do throws(InvalidValue) {
            _ = try UserName(username)
        } catch {
            throw AccountError(description: error.message)
        }
        let lowered = username.lowercased()
        let isReserved = reservedNames.contains(lowered) || reservedPrefixes.contains(where: lowered.hasPrefix)
        guard allowsReserved || !isReserved else { throw .usernameReserved }
    }

    /// Deliberately loose: only a message proves an address.
    private static func check(email: String) throws(AccountError) {
        let parts = email.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, email.utf8.count <= 254,
            email.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
            !email.contains(where: { "<>\"',;:\\()[]".contains($0) }),
            parts[1].split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ !$0.isEmpty })
        else { throw .invalidEmail }
    }
}

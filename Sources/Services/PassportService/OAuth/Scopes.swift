import AccessTokens

/// The scopes people can give to a client, and what they mean.
enum Scopes {
    static let openID = "openid"
    static let profile = "profile"
    static let email = "email"
    static let introspection = "introspection"

    /// Those that speak about a person. All others are for machines and never part of a person's token.
    static let personal: ScopeSet = [openID, profile, email]

    /// What of a request a person's token for this client gets;
    /// unknown scopes are ignored (OpenID Connect Core 3.1.2.1).
    static func personal(requested: String?, for client: Client) -> ScopeSet? {
        let allowed = personal.intersection(client.scopes)
        guard let requested else { return allowed.isEmpty ? nil : allowed }
        guard let wanted = ScopeSet(parameter: requested) else { return nil }
        let granted = wanted.intersection(allowed)
        return granted.isEmpty ? nil : granted
    }

    /// What a client's own token gets: what it asks for, or all it may have. Nil when it asks for more.
    static func machine(requested: String?, for client: Client) -> ScopeSet? {
        let allowed = client.scopes.subtracting(personal)
        guard let requested else { return allowed }
        guard let wanted = ScopeSet(parameter: requested), wanted.isSubset(of: allowed) else { return nil }
        return wanted
    }

    /// How the consent page names a scope.
    static func meaning(of scope: String) -> String {
        switch scope {
        case openID: "Know who you are"
        case profile: "See your username and name"
        case email: "See your e-mail address"
        default: scope
        }
    }
}

package import FoundationEssentials

/// What a checked access token says.
package struct VerifiedToken: Sendable, Hashable {
    /// The user's id, or the client's id.
    package let subject: String
    /// The client that obtained the token.
    package let clientID: String
    /// What the token allows.
    package let scopes: ScopeSet
    /// When it ends.
    package let expires: Date
    /// The name under which it can be revoked.
    package let tokenID: String
    /// The sign-in it descends from, for tokens of users.
    package let sessionID: String?

    /// What `claims` say; the caller vouches for them.
    package init(claims: AccessTokenClaims) {
        subject = claims.subject
        clientID = claims.clientID
        scopes = claims.scope
        expires = Date(timeIntervalSince1970: claims.expires)
        tokenID = claims.tokenID
        sessionID = claims.sessionID
    }

    /// Whether the token speaks for a client and not for a user.
    package var isClientToken: Bool { subject == clientID }

    /// The user's id, for tokens that speak for a user.
    package var userID: Int? { isClientToken ? nil : Int(subject) }
}

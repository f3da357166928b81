package import FoundationEssentials

/// The claims of an access token (RFC 9068).
package struct AccessTokenClaims: Sendable, Codable, Hashable {
    /// The type of token in the header.
    package static let headerType = "at+jwt"

    package var issuer: String
    /// The user's id, or the client's for a token without a user.
    package var subject: String
    package var clientID: String
    package var scope: ScopeSet
    package var audience: AudienceList
    /// Seconds since 1970.
    package var expires: Double
    /// Seconds since 1970.
    package var issuedAt: Double
    package var tokenID: String
    /// The sign-in at the provider this token descends from; absent for tokens without a user.
    package var sessionID: String?

    private enum CodingKeys: String, CodingKey {
        case issuer = "iss"
        case subject = "sub"
        case clientID = "client_id"
        case scope
        case audience = "aud"
        case expires = "exp"
        case issuedAt = "iat"
        case tokenID = "jti"
        case sessionID = "sid"
    }

    /// Claims that begin at `issuedAt` and end `lifetime` later, in whole seconds.
    package init(
        issuer: String, subject: String, clientID: String, scope: ScopeSet, audience: AudienceList, issuedAt: Date,
        lifetime: Duration, tokenID: String, sessionID: String? = nil
    ) {
        self.issuer = issuer
        self.subject = subject
        self.clientID = clientID
        self.scope = scope
        self.audience = audience
        self.issuedAt = issuedAt.timeIntervalSince1970.rounded(.down)
        expires = self.issuedAt + Double(lifetime.components.seconds)
        self.tokenID = tokenID
        self.sessionID = sessionID
    }
}

/// Whom a token is for: one name or several.
package struct AudienceList: Sendable, Codable, Hashable, ExpressibleByStringLiteral {
    /// The names.
    package var names: [String]

    /// A list of one or more names.
    package init(_ names: [String]) { self.names = names }

    package init(stringLiteral value: String) { names = [value] }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Either form is right by RFC 7519; only when both fail is the claim wrong.
        if let one = try? container.decode(String.self) {
            names = [one]
        } else {
            names = try container.decode([String].self)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if names.count == 1 { try container.encode(names[0]) } else { try container.encode(names) }
    }

    /// Whether `name` is among them.
    package func contains(_ name: String) -> Bool { names.contains(name) }
}

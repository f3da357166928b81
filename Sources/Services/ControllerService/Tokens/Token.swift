import FoundationEssentials
import OpenSSLCrypto
import PlatformModel

/// A controller token as lists show it; the key itself exists only in the hands of its owner.
struct Token: Sendable {
    let uuid: UUID
    let owner: String
    let alias: String
    let fuzzyKey: String
    let created: Date
    let updated: Date
}

/// The OAuth tokens a controller token stands for; kept sealed.
struct OAuthTokens: Codable, Sendable, Equatable {
    let accessToken: String
    let expiresIn: Int
    let tokenType: String
    let scope: String
    let refreshToken: String

    private enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case expiresIn = "expires_in"
        case tokenType = "token_type"
        case scope
        case refreshToken = "refresh_token"
    }

    init(accessToken: String, expiresIn: Int, tokenType: String = "Bearer", scope: String = "", refreshToken: String) {
        self.accessToken = accessToken
        self.expiresIn = expiresIn
        self.tokenType = tokenType
        self.scope = scope
        self.refreshToken = refreshToken
    }

    /// For providers that answer a refresh without a new refresh token: the old one goes on.
    func keepingRefreshToken(of old: OAuthTokens) -> OAuthTokens {
        OAuthTokens(
            accessToken: accessToken, expiresIn: expiresIn, tokenType: tokenType, scope: scope,
            refreshToken: old.refreshToken)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        accessToken = try container.decode(String.self, forKey: .accessToken)
        expiresIn = try container.decode(Int.self, forKey: .expiresIn)
        tokenType = try container.decodeIfPresent(String.self, forKey: .tokenType) ?? "Bearer"
        scope = try container.decodeIfPresent(String.self, forKey: .scope) ?? ""
        refreshToken = try container.decodeIfPresent(String.self, forKey: .refreshToken) ?? ""
    }
}

/// The secret a client sends as `token <key>`.
enum TokenKey {
    /// 32 hexadecimal digits in random case, then 96 letters.
    static func generate() -> String {
        let cases = SecureRandom.bytes(32)
        let head = zip(SecureRandom.hex(16), cases).map { digit, choice in
            choice & 1 == 0 ? String(digit) : digit.uppercased()
        }
        return head.joined() + SecureRandom.text(96, from: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    }

    static func hash(_ key: String) -> [UInt8] { SHA256Digest.hash(key) }

    /// First and last 14 characters.
    static func fuzzy(_ key: String) -> String { "\(key.prefix(14))...\(key.suffix(14))" }
}

import PlatformModel
import Synchronization

@testable import ControllerService

/// A provider whose people have the password `right`; access tokens name their owner.
final class FakeIdentityProvider: IdentityProvider {
    private struct State {
        var people: [String: UserInfo] = [:]
        var refreshed = 0
        var isRefusing = false
    }

    static let password = "right"
    private let state = Mutex(State())

    /// How many tokens were refreshed.
    var refreshed: Int { state.withLock { $0.refreshed } }

    func add(_ info: UserInfo) { state.withLock { $0.people[info.username] = info } }

    func refuseRefreshes() { state.withLock { $0.isRefusing = true } }

    func signIn(username: String, password: Secret) async throws -> OAuthTokens {
        guard password.reveal() == Self.password, state.withLock({ $0.people[username] != nil }) else {
            throw IdentityRefusal(
                status: 400, body: ["error": "invalid_grant", "error_description": "Invalid credentials given."])
        }
        return tokens(username)
    }

    func authorizationURL(for login: BrowserLogin) async throws -> String {
        "http://passport.test/oauth/authorize/?state=\(login.state)&nonce=\(login.nonce)"
            + "&redirect_uri=\(login.redirectURI)"
    }

    /// A code is the name of the person who signed in.
    func exchange(code: String, for login: BrowserLogin) async throws -> OAuthTokens {
        guard state.withLock({ $0.people[code] != nil }) else { throw IdentityRefusal(status: 400, body: nil) }
        return tokens(code)
    }

    func refresh(_ tokens: OAuthTokens) async throws -> OAuthTokens {
        try state.withLock { state in
            guard !state.isRefusing else { throw IdentityRefusal(status: 400, body: nil) }
            state.refreshed += 1
        }
        return self.tokens(String(tokens.accessToken.dropFirst("access-".count)))
    }

    func userInfo(accessToken: String) async throws -> UserInfo {
        let name = String(accessToken.dropFirst("access-".count))
        guard let info = state.withLock({ $0.people[name] }) else { throw IdentityRefusal(status: 401, body: nil) }
        return info
    }

    private func tokens(_ username: String) -> OAuthTokens {
        OAuthTokens(
            accessToken: "access-\(username)", expiresIn: 3600, scope: "openid", refreshToken: "refresh-\(username)")
    }
}

import AccessTokens
import FoundationEssentials
import Logging
import PlatformModel
import Postgres

/// Finds the person behind an `Authorization` header: `token <key>` of ours or `bearer <access token>` of the provider.
struct Authenticator: Sendable {
    let database: PostgresPool
    let tokens: TokenStore
    let provider: any IdentityProvider
    let verifier: AccessTokenVerifier
    let bearerUsers: BearerUserCache
    let logger: Logger

    /// - Throws: ``Refusal`` 401 with the sentence for what is wrong.
    func user(authorization: String?) async throws -> User {
        guard let authorization else { throw Self.missing }
        guard authorization.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            throw Refusal.unauthenticated(
                "Invalid token header. Token string should not contain invalid characters.")
        }
        let words = authorization.split(separator: " ")
        guard let scheme = words.first?.lowercased(), scheme == "token" || scheme == "bearer" else {
            throw Self.missing
        }
        guard words.count > 1 else {
            throw Refusal.unauthenticated("Invalid token header. No credentials provided.", scheme: scheme)
        }
        guard words.count == 2 else {
            throw Refusal.unauthenticated(
                "Invalid token header. Token string should not contain spaces.", scheme: scheme)
        }
        let user =
            scheme == "token"
            ? try await holder(of: String(words[1])) : try await bearer(String(words[1]))
        guard user.isActive else { throw Refusal.unauthenticated("User inactive or deleted.", scheme: scheme) }
        return user
    }

    private static let missing = Refusal.unauthenticated("Authentication credentials were not provided.")

    private func holder(of key: String) async throws -> User {
        guard let holder = try await tokens.holder(of: key, in: database) else {
            throw Refusal.unauthenticated("Invalid token.")
        }
        guard holder.refreshAfter <= Date() else { return holder.user }
        return try await refresh(holder)
    }

    /// Renews what a due token stands for, and with it what is known about its owner.
    ///
    /// A provider that refuses ends the token; one that does not answer leaves it as it was, so that an outage of the
    /// provider does not lock everybody out.
    private func refresh(_ holder: TokenStore.Holder) async throws -> User {
        guard let stored = try await tokens.beginRefresh(holder.token, in: database) else { return holder.user }
        do {
            let fresh = try await provider.refresh(stored)
            // Kept before anything else can fail: the old refresh token is spent.
            try await tokens.finishRefresh(holder.token, oauth: fresh, in: database)
            let info = try await provider.userInfo(accessToken: fresh.accessToken)
            return try await database.withTransaction { try await UserStore().upsert(info, in: $0) }
        } catch is IdentityRefusal {
            throw Self.missing
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.warning(
                "Could not refresh a token", metadata: ["error": "\(String(reflecting: error))"])
            return holder.user
        }
    }

    private func bearer(_ token: String) async throws -> User {
        let verified: VerifiedToken
        do {
            verified = try await verifier.verify(token)
        } catch  where error.code == .keysUnavailable {
            throw Refusal.unavailable()
        } catch {
            throw Refusal.unauthenticated("Verify token fail.", scheme: "bearer")
        }
        guard verified.userID != nil else {
            throw Refusal.unauthenticated("Verify token fail.", scheme: "bearer")
        }
        if let user = bearerUsers.user(for: verified) { return user }
        let info: UserInfo
        do {
            info = try await provider.userInfo(accessToken: token)
        } catch is IdentityRefusal {
            throw Refusal.unauthenticated("Verify token fail.", scheme: "bearer")
        }
        let user = try await database.withTransaction { try await UserStore().upsert(info, in: $0) }
        bearerUsers.keep(user, for: verified)
        return user
    }
}

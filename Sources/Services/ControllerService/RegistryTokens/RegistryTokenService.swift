import AccessTokens
import FoundationEssentials
import PlatformModel
import Postgres

/// Who may do what with the registry: signs the tokens it believes.
struct RegistryTokenService: Sendable {
    let database: PostgresPool
    let issuer: RegistryTokenIssuer
    let authenticator: Authenticator
    /// The name tokens are made for.
    let service: String
    /// The registry's host and port in image names.
    let host: String

    /// A user name and password for one app's repository.
    struct Grant: Sendable {
        let username: String
        let password: Secret
    }

    static func repositoryName(of app: AppName) -> String { "\(app)/\(app)" }

    func repository(of app: AppName) -> String { "\(host)/\(Self.repositoryName(of: app))" }

    /// Credentials for one app's repository, for a build or for an engine that pulls.
    func grant(app: AppName, actions: [String], lifetime: Duration) throws -> Grant {
        let access = [RegistryAccess(name: Self.repositoryName(of: app), actions: actions)]
        let password = try issuer.grant(subject: app.text, access: access, lifetime: lifetime)
        return Grant(username: RegistryGrant.userName, password: password)
    }

    /// The token for what is asked as far as the credentials reach; too little is not an error.
    ///
    /// - Throws: ``Refusal`` 401 for credentials that are none.
    func token(username: String, password: String, service asked: String, scopes: [RegistryAccess]) async throws
        -> RegistryToken
    {
        guard asked == service else { throw Refusal.invalid("the service \(asked.prefix(80)) is not known here") }
        if username == RegistryGrant.userName {
            let grant: RegistryGrant
            do throws(TokenError) {
                grant = try await issuer.verifyGrant(password)
            } catch {
                throw Self.denied
            }
            return try issuer.token(
                subject: grant.subject, service: service,
                access: RegistryAccess.intersection(scopes, with: grant.access))
        }
        let user: User
        do {
            user = try await authenticator.user(authorization: "token \(password)")
        } catch let refusal as Refusal where refusal.code == .unauthenticated {
            throw Self.denied
        }
        guard user.username == username else { throw Self.denied }
        return try issuer.token(
            subject: username, service: service,
            access: RegistryAccess.intersection(scopes, with: try await rights(of: user, among: scopes)))
    }

    static let denied = Refusal.unauthenticated(
        "The registry credentials are not valid.", scheme: "Basic realm=\"workflow\"")

    /// Viewers of an app pull, members push as well.
    private func rights(of user: User, among scopes: [RegistryAccess]) async throws -> [RegistryAccess] {
        var rights: [RegistryAccess] = []
        for scope in scopes.prefix(16) {
            let parts = scope.name.split(separator: "/")
            guard scope.type == "repository", parts.count == 2, parts[0] == parts[1],
                let name = AppName(ifValid: String(parts[0])),
                let found = try await AppStore().find(named: name, for: user, in: database)
            else { continue }
            let role: Role? = user.isOperator ? .admin : found.role
            guard let role else { continue }
            rights.append(RegistryAccess(name: scope.name, actions: role >= .member ? ["pull", "push"] : ["pull"]))
        }
        return rights
    }
}

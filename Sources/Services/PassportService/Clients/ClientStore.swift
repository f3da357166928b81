import AccessTokens
import FoundationEssentials
import Postgres

/// Clients in the database.
struct ClientStore: Sendable {
    func client(id: String, in executor: some SQLExecutor) async throws -> Client? {
        let rows = try await executor.query(
            """
            SELECT id, name, secret_hash, redirect_uris, post_logout_redirect_uris, grants, scopes,
                confidential, first_party
            FROM clients WHERE id = \(id)
            """)
        return try rows.first.map(Self.client)
    }

    /// Inserts or replaces a client.
    func save(_ client: Client, at time: Date, in executor: some SQLExecutor) async throws {
        try await executor.execute(
            """
            INSERT INTO clients (id, name, secret_hash, redirect_uris, post_logout_redirect_uris, grants, scopes,
                confidential, first_party, updated_at)
            VALUES (\(client.id), \(client.name), \(client.secretHash), \(client.redirectURIs),
                \(client.postLogoutRedirectURIs), \(client.grants.map(\.rawValue).sorted()), \(client.scopes.names),
                \(client.isConfidential), \(client.isFirstParty), \(time))
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, secret_hash = excluded.secret_hash,
                redirect_uris = excluded.redirect_uris, post_logout_redirect_uris = excluded.post_logout_redirect_uris,
                grants = excluded.grants, scopes = excluded.scopes, confidential = excluded.confidential,
                first_party = excluded.first_party, updated_at = excluded.updated_at
            """)
    }

    private static func client(_ row: Row) throws -> Client {
        Client(
            id: try row.decode("id"), name: try row.decode("name"),
            secretHash: try row.decode("secret_hash", as: Data?.self).map { Array($0) },
            redirectURIs: try row.decode("redirect_uris"),
            postLogoutRedirectURIs: try row.decode("post_logout_redirect_uris"),
            grants: Set(try row.decode("grants", as: [String].self).compactMap(GrantType.init)),
            scopes: ScopeSet(try row.decode("scopes", as: [String].self)),
            isConfidential: try row.decode("confidential"), isFirstParty: try row.decode("first_party"))
    }
}

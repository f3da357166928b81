import AccessTokens
import FoundationEssentials
import Logging
import OpenSSLCrypto
import Postgres
import ServiceRuntime

/// The clients an operator declares in a file, brought into the database at every start.
struct ClientSeeds: Sendable {
    private struct Declaration: Decodable {
        let id: String
        let secret: String?
        let name: String?
        let redirectURIs: [String]?
        let postLogoutRedirectURIs: [String]?
        let grants: [GrantType]
        let scopes: [String]
        let confidential: Bool?
        let firstParty: Bool?

        private enum CodingKeys: String, CodingKey {
            case id, secret, name, grants, scopes, confidential
            case redirectURIs = "redirect_uris"
            case postLogoutRedirectURIs = "post_logout_redirect_uris"
            case firstParty = "first_party"
        }
    }

    private static let shortestSecret = 16

    let clients: [Client]

    /// Reads the file.
    /// - Throws: `ConfigurationError` naming every client that cannot be used, and why.
    init(file: String) throws {
        let content: Data
        do {
            content = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw ConfigurationError(problems: ["PASSPORT_CLIENTS_FILE cannot be read: \(file)"])
        }
        try self.init(json: content)
    }

    init(json: Data) throws {
        let declarations: [Declaration]
        do {
            declarations = try JSONDecoder().decode([Declaration].self, from: json)
        } catch let error as DecodingError {
            throw ConfigurationError(problems: [
                "PASSPORT_CLIENTS_FILE is not a list of clients: \(Self.place(of: error))"
            ])
        }
        let problems = declarations.flatMap(Self.problems)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        clients = declarations.map(Self.client)
    }

    func save(in pool: PostgresPool, at time: Date) async throws {
        let store = ClientStore()
        try await pool.withTransaction { transaction in
            // In one order, so that replicas that start together do not block each other.
            for client in clients.sorted(by: { $0.id < $1.id }) {
                try await store.save(client, at: time, in: transaction)
            }
        }
    }

    private static func client(_ item: Declaration) -> Client {
        Client(
            id: item.id, name: item.name ?? item.id, secretHash: item.secret.map { SHA256Digest.hash($0) },
            redirectURIs: item.redirectURIs ?? [], postLogoutRedirectURIs: item.postLogoutRedirectURIs ?? [],
            grants: Set(item.grants), scopes: ScopeSet(item.scopes), isConfidential: item.confidential ?? true,
            isFirstParty: item.firstParty ?? false)
    }

    private static func problems(_ item: Declaration) -> [String] {
        var problems: [String] = []
        func report(_ text: String) { problems.append("PASSPORT_CLIENTS_FILE: client \(item.id) \(text)") }
        if item.id.isEmpty || item.id.utf8.contains(where: { $0 < 0x21 || $0 > 0x7E }) {
            report("has an id with characters other than visible ASCII")
        }
        let isConfidential = item.confidential ?? true
        if isConfidential, (item.secret ?? "").utf8.count < shortestSecret {
            report("needs a secret of at least \(shortestSecret) characters")
        }
        if !isConfidential, item.grants.contains(where: { $0 == .clientCredentials || $0 == .password }) {
            report("is public and cannot have the grants client_credentials or password")
        }
        if item.grants.contains(.authorizationCode), (item.redirectURIs ?? []).isEmpty {
            report("needs redirect_uris for authorization_code")
        }
        for uri in (item.redirectURIs ?? []) + (item.postLogoutRedirectURIs ?? []) where RedirectURI(uri) == nil {
            report("has a redirect URI that is no absolute http or https URL without fragment: \(uri)")
        }
        if ScopeSet(parameter: item.scopes.joined(separator: " ")) == nil {
            report("has scopes with forbidden characters")
        }
        return problems
    }

    private static func place(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "at \(context.codingPath.map(\.stringValue).joined(separator: "/"))"
        @unknown default: "it cannot be decoded"
        }
    }
}

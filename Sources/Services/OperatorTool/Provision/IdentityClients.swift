import FoundationEssentials
import PlatformModel
import ServiceHTTP
import ServiceRuntime

/// The machine identities passport knows from its start: one client for each service that needs tokens.
struct IdentityClients: Sendable {
    private struct Client: Encodable {
        let id: String
        let secret: String
        let name: String
        let redirects: [String]
        let grants: [String]
        let scopes: [String]
        let isConfidential = true
        let isFirstParty = true

        private enum CodingKeys: String, CodingKey {
            case id, secret, name, grants, scopes
            case redirects = "redirect_uris"
            case isConfidential = "confidential"
            case isFirstParty = "first_party"
        }
    }

    let state: StateDirectory
    let names: PlatformNames
    let secrets: SecretValues

    var path: String { "\(state.root)/secrets/passport-clients.json" }

    func write() throws {
        let clients = [
            Client(
                id: "controller", secret: secrets[.controllerClient].reveal(), name: "Workflow",
                redirects: [
                    "\(names.controllerURL)/v2/complete/drycc/",
                    "\(names.secureURL(names.controllerHost))/v2/complete/drycc/",
                ],
                grants: ["authorization_code", "refresh_token", "password", "client_credentials"],
                scopes: ["openid", "profile", "email", "logger:read", "logger:write", "introspection"]),
            machine("builder", .builderClient, scope: "controller:hook"),
            machine("router", .routerClient, scope: "controller:routes"),
            machine("shipper", .shipperClient, scope: "logger:write"),
        ]
        try StateFile.write(JSONCoding.encoder.encode(clients), to: path, mode: 0o600)
    }

    private func machine(_ id: String, _ secret: SecretValues.Use, scope: String) -> Client {
        Client(
            id: id, secret: secrets[secret].reveal(), name: id.capitalized, redirects: [],
            grants: ["client_credentials"], scopes: [scope])
    }
}

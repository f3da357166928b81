import PlatformModel

/// Where everything of an installation is reached.
struct AddressTable {
    let entries: [(name: String, address: String)]

    init(state: StateDirectory) throws {
        guard let settings = try Settings.read(from: state) else {
            throw OperatorError("there is no installation in \(state.root)", next: "workflow up")
        }
        let names = PlatformNames(domain: settings.domain, ports: settings.ports)
        entries = [
            ("controller", names.controllerURL), ("sign in", names.passportURL),
            ("apps", names.url("<app>.\(settings.domain)")),
            ("apps, https", names.secureURL("<app>.\(settings.domain)")), ("git", names.remote(of: "<app>")),
            ("registry", "127.0.0.1:\(settings.ports[.registry])"),
            ("authority", LocalAuthority(state: state, domain: settings.domain).authorityPath), ("state", state.root),
        ]
    }

    var text: String { entries.map { "  \($0.name.padded(to: 14))\($0.address)" }.joined(separator: "\n") }

    /// The addresses as variables for a shell.
    static func environment(state: StateDirectory) throws -> String {
        guard let settings = try Settings.read(from: state) else {
            throw OperatorError("there is no installation in \(state.root)", next: "workflow up")
        }
        let names = PlatformNames(domain: settings.domain, ports: settings.ports)
        return [
            ("WORKFLOW_DOMAIN", settings.domain.text), ("WORKFLOW_CONTROLLER_URL", names.controllerURL),
            ("WORKFLOW_PASSPORT_URL", names.passportURL), ("WORKFLOW_HTTP_PORT", "\(settings.ports[.http])"),
            ("WORKFLOW_HTTPS_PORT", "\(settings.ports[.https])"), ("WORKFLOW_SSH_HOST", names.builderHost),
            ("WORKFLOW_SSH_PORT", "\(settings.ports[.ssh])"),
            ("WORKFLOW_REGISTRY", "127.0.0.1:\(settings.ports[.registry])"),
            ("WORKFLOW_CA", LocalAuthority(state: state, domain: settings.domain).authorityPath),
            ("WORKFLOW_STATE_DIR", state.root),
        ].map { "export \($0.0)='\($0.1)'" }.joined(separator: "\n")
    }
}

import FoundationEssentials
import PlatformModel
import ServiceHTTP
import ServiceRuntime

/// What an installation was told or has chosen, remembered across runs.
struct Settings: Codable, Equatable, Sendable {
    var domain: DomainName
    /// Addresses apps and git are served on.
    var bind: [String]
    /// The file that gets the platform's names; nil when it is left alone.
    var hostsFile: String?
    var ports: PortPlan

    private enum CodingKeys: String, CodingKey {
        case domain, bind, ports
        case hostsFile = "hosts_file"
    }

    static func read(from state: StateDirectory) throws -> Settings? {
        guard let bytes = try StateFile.read(state.settings) else { return nil }
        return try JSONCoding.decoder.decode(Settings.self, from: Data(bytes))
    }

    func write(to state: StateDirectory) throws {
        try StateFile.write(JSONCoding.encoder.encode(self), to: state.settings, mode: 0o644)
    }
}

/// The platform's own names and addresses under its domain.
struct PlatformNames: Equatable, Sendable {
    let domain: DomainName
    let ports: PortPlan

    var controllerHost: String { "drycc.\(domain)" }
    var passportHost: String { "passport.\(domain)" }
    var builderHost: String { "drycc-builder.\(domain)" }
    /// Every name that must lead to this machine besides the apps' own.
    var hosts: [String] { [controllerHost, passportHost, builderHost] }

    var controllerURL: String { url(controllerHost) }
    var passportURL: String { url(passportHost) }
    var issuer: String { "\(passportURL)/oauth" }

    func url(_ host: String) -> String {
        ports[.http] == 80 ? "http://\(host)" : "http://\(host):\(ports[.http])"
    }

    func secureURL(_ host: String) -> String {
        ports[.https] == 443 ? "https://\(host)" : "https://\(host):\(ports[.https])"
    }

    func remote(of app: String) -> String { "ssh://git@\(builderHost):\(ports[.ssh])/\(app).git" }
}

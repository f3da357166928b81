/// What the controller wants the edge to do: every host, its backends and its certificate.
package struct RoutingTable: Codable, Equatable, Sendable {
    /// Grows with each change; an applied table is acknowledged by this number.
    package let version: Int
    package let hosts: [HostEntry]
    package let certificates: [CertificateEntry]

    package init(version: Int, hosts: [HostEntry], certificates: [CertificateEntry] = []) {
        self.version = version
        self.hosts = hosts
        self.certificates = certificates
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decode(Int.self, forKey: .version)
        hosts = try container.decode([HostEntry].self, forKey: .hosts)
        certificates = try container.decodeIfPresent([CertificateEntry].self, forKey: .certificates) ?? []
    }
}

/// One host name and where its requests go.
package struct HostEntry: Codable, Equatable, Sendable {
    /// What a request for the host meets.
    package enum State: String, Codable, Sendable {
        case serving
        case noProcess = "no_process"
        case maintenance
    }

    /// Whether plain requests are sent to https.
    package enum HTTPSPolicy: String, Codable, Sendable {
        case optional, enforced, off
    }

    package let host: String
    package let app: String
    package let state: State
    package let backends: [Backend]
    package let https: HTTPSPolicy
    /// The id of the certificate shown for this host; nil shows the platform's own.
    package let certificate: String?

    package init(
        host: String, app: String, state: State = .serving, backends: [Backend], https: HTTPSPolicy = .optional,
        certificate: String? = nil
    ) {
        self.host = host
        self.app = app
        self.state = state
        self.backends = backends
        self.https = https
        self.certificate = certificate
    }
}

/// One process of an app that takes requests.
package struct Backend: Codable, Hashable, Sendable {
    /// An IP address, v4 or v6 without brackets.
    package let address: String
    package let port: Int

    package init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}

/// A certificate with its chain and private key, all PEM.
package struct CertificateEntry: Codable, Equatable, Sendable {
    package let id: String
    package let chain: String
    package let key: String

    package init(id: String, chain: String, key: String) {
        self.id = id
        self.chain = chain
        self.key = key
    }
}

import CommandRunner
import CurlTransfer
import Glibc
import HTTPTypes
import Logging
import OpenSSLCrypto
import RouterService
import ServiceRuntime
import TestSupport

/// A real nginx with the edge's configuration, in a folder of its own.
struct EdgeFixture: Sendable {
    let settings: EdgeSettings
    let master: NginxMaster
    let table: EdgeTable
    let client: HTTPClient

    static func with(
        certificate: (String) throws -> EdgeSettings.DefaultCertificate? = { _ in nil }, platformPort: Int = 9,
        change: (inout EdgeSettings) -> Void = { _ in }, _ body: (EdgeFixture) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("edge") { directory in
            let certificate = try certificate(directory)
            var settings = EdgeSettings(
                directory: "\(directory)/nginx", bindAddresses: ["127.0.0.1"], httpPort: try freePort(),
                httpsPort: try freePort(), certificate: certificate,
                platformHosts: [.init(host: "drycc.edge.localhost", address: "127.0.0.1:\(platformPort)")],
                workerUser: geteuid() == 0 ? "www-data" : nil, accessLogPath: "\(directory)/nginx/access.log")
            settings.workers = 1
            change(&settings)
            let edge = try EdgeFixture(settings: settings)
            try await edge.master.prepare()
            do {
                _ = try await edge.master.ensureRunning()
                try await body(edge)
            } catch {
                try await edge.master.stop(patience: .seconds(2))
                throw error
            }
            try await edge.master.stop(patience: .seconds(2))
        }
    }

    init(settings: EdgeSettings) throws {
        let logger = Logger.silent
        self.settings = settings
        client = try HTTPClient()
        master = NginxMaster(program: "/usr/sbin/nginx", settings: settings, logger: logger)
        table = EdgeTable(
            settings: settings, control: EdgeControl(client: client, socket: settings.paths.controlSocket),
            logger: logger)
    }

    /// A request to the edge as a client sends it, for a host.
    func request(
        _ host: String, _ path: String = "/", method: HTTPRequest.Method = .get, accept: String? = nil,
        body: TransferBody = .none
    ) -> TransferRequest {
        var request = TransferRequest(
            method: method, url: "http://127.0.0.1:\(settings.httpPort)\(path)", body: body, timeout: .seconds(60))
        request.headers[.host] = host
        if let accept { request.headers[.accept] = accept }
        return request
    }

    func send(
        _ host: String, _ path: String = "/", method: HTTPRequest.Method = .get, accept: String? = nil,
        body: TransferBody = .none
    ) async throws -> TransferResponse {
        try await client.send(request(host, path, method: method, accept: accept, body: body))
    }

    /// Makes `host` lead to these ports.
    func serve(_ host: String, version: Int, ports: [Int]) async throws {
        try await table.apply(RoutingTable(version: version, hosts: [Self.entry(host, ports: ports)]))
    }

    static func entry(
        _ host: String, ports: [Int], https: HostEntry.HTTPSPolicy = .optional, certificate: String? = nil
    ) -> HostEntry {
        HostEntry(
            host: host, app: "shopper", backends: ports.map { Backend(address: "127.0.0.1", port: $0) }, https: https,
            certificate: certificate)
    }

    /// Puts a certificate of `authority` for every name below `edge.localhost` into a folder.
    static func store(
        _ authority: CertificateAuthority, in directory: String
    ) throws -> EdgeSettings.DefaultCertificate {
        let issued = try authority.issue(names: [.dns("*.edge.localhost")])
        try StateFile.write(issued.chainPEM, to: "\(directory)/chain.pem", mode: 0o644)
        try StateFile.write(issued.privateKeyPEM, to: "\(directory)/key.pem", mode: 0o600)
        return .init(
            chainPath: "\(directory)/chain.pem", keyPath: "\(directory)/key.pem",
            fingerprint: issued.certificate.fingerprint)
    }

    /// What nginx had to say, to explain a failure.
    var errorLog: String {
        do {
            return try StateFile.readText(settings.paths.errorLog) ?? ""
        } catch {
            return "\(error)"
        }
    }

    /// The processes of nginx's workers.
    static func workers(of master: ProcessIdentity) -> Set<ProcessIdentity> {
        Set(
            ProcessIdentity.members(ofSession: master.pid).filter {
                $0.arguments.first?.hasPrefix("nginx: worker process") == true
                    && !$0.arguments.joined().contains("shutting down")
            })
    }
}

extension Logger {
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

extension HTTPField.Name {
    static var host: Self { Self(parsed: "Host") }
    static var requestID: Self { Self(parsed: "X-Request-Id") }

    private init(parsed: String) {
        guard let name = HTTPField.Name(parsed) else { preconditionFailure("\(parsed) is not a header name") }
        self = name
    }
}

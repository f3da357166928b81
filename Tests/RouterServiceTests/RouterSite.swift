import CommandRunner
import CurlTransfer
import Glibc
import RouterService
import TestSupport

/// The shipped router with the system's nginx on free ports, and a controller in this process.
struct RouterSite: Sendable {
    /// The same edge seen from the test: its settings, its nginx, a client.
    let edge: EdgeFixture
    let controller: FakeController
    private let controllerPort: Int
    private let controlPort: Int
    private let root: String

    /// Runs `body` with a site whose router is not started; nginx is ended afterwards, whatever happens.
    static func with(_ body: @escaping @Sendable (RouterSite) async throws -> Void) async throws {
        try await withTemporaryDirectory("router") { root in
            // nginx's workers run as another user and must get through to their files.
            chmod(root, 0o755)
            var settings = EdgeSettings(
                directory: "\(root)/state", bindAddresses: ["127.0.0.1"], httpPort: try freePort(),
                httpsPort: try freePort(), certificate: nil, platformHosts: [],
                workerUser: geteuid() == 0 ? "www-data" : nil, accessLogPath: "\(root)/state/access.log")
            settings.workers = 2
            let edge = try EdgeFixture(settings: settings)
            let controller = FakeController()
            try await controller.run { port in
                let site = RouterSite(
                    edge: edge, controller: controller, controllerPort: port, controlPort: try freePort(), root: root)
                do {
                    try await body(site)
                } catch {
                    try await edge.master.stop(patience: .milliseconds(200))
                    throw error
                }
                try await edge.master.stop(patience: .milliseconds(200))
            }
        }
    }

    func startRouter() throws -> ServerProcess {
        try ServerProcess(
            "router",
            environment: [
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ROUTER_STATE_DIRECTORY": edge.settings.directory,
                "ROUTER_BIND": "127.0.0.1", "ROUTER_HTTP_PORT": "\(edge.settings.httpPort)",
                "ROUTER_HTTPS_PORT": "\(edge.settings.httpsPort)", "ROUTER_WORKERS": "\(edge.settings.workers)",
                "ROUTER_CONTROL_LISTEN": "127.0.0.1:\(controlPort)",
                "CONTROLLER_URL": "http://127.0.0.1:\(controllerPort)",
                "OIDC_ISSUER": "http://127.0.0.1:\(controllerPort)/oauth", "OIDC_CLIENT_SECRET": "secret",
            ], log: "\(root)/router.log")
    }

    /// Makes a table of one host the controller's and waits until the edge has it.
    func serve(_ host: String, version: Int, ports: [Int]) async throws {
        controller.publish(RoutingTable(version: version, hosts: [EdgeFixture.entry(host, ports: ports)]))
        try await controller.confirmation(of: version)
    }

    /// Changes one host of the table and waits until the edge has it.
    func change(_ host: String, version: Int, ports: [Int]) async throws {
        controller.publish(
            RoutingChanges(version: version, since: version - 1, hosts: [EdgeFixture.entry(host, ports: ports)]))
        try await controller.confirmation(of: version)
    }

    /// nginx's master, once it runs.
    func nginx() async throws -> ProcessIdentity {
        let found = Latest<ProcessIdentity>()
        try await eventually(within: .seconds(20), "nginx runs") {
            found.value = await edge.master.running()
            return found.value != nil
        }
        guard let master = found.value else { throw NoNginx() }
        return master
    }

    struct NoNginx: Error {}
}

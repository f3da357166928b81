import AccessTokens
import CommandRunner
import CurlTransfer
import HTTPTypes
import Hummingbird
import ServiceHTTP
import ServiceRuntime

/// The edge of the platform: nginx, fed with the controller's routing table.
package enum Router {
    /// Runs the router until it is told to stop.
    package static func run() async -> Never {
        await ServiceProcess.run(name: "router") { reader, process in
            let configuration = RouterConfiguration(reader: &reader)
            try reader.validate()
            return try await makeParts(configuration: configuration, process: process)
        }
    }

    /// The router's parts, in order of dependency.
    static func makeParts(
        configuration: RouterConfiguration, process: ServiceProcess
    ) async throws -> [ServiceProcess.Part] {
        let logger = process.logger
        let settings = configuration.edge
        let client = try HTTPClient()
        let master = NginxMaster(program: configuration.nginx, settings: settings, logger: logger)
        try await master.prepare()
        let control = EdgeControl(client: client, socket: settings.paths.controlSocket)
        let table = EdgeTable(settings: settings, control: control, logger: logger)
        try await table.load()
        let credentials = ClientCredentialsSource(
            tokenURL: configuration.tokenURL, id: configuration.clientID, secret: configuration.clientSecret,
            scopes: ["controller:routes"], client: client)
        let source = RouteSource(
            client: client, controllerURL: configuration.controllerURL, credentials: credentials)
        let health = RouterHealth(control: control, table: table, metrics: process.metrics, drain: process.drain)
        let edge = EdgeProcess(
            master: master, table: table, lock: try ProcessLock(path: settings.paths.lock), logger: logger)
        return [
            .init("nginx", edge),
            .init(
                "log-rotation",
                LogRotation(files: [settings.accessLogPath, settings.paths.errorLog], master: master, logger: logger)),
            .init("routes", RouteFollower(source: source, table: table, logger: logger)),
            .init(
                "http", HTTPService(router: health.makeRouter(), listen: configuration.controlListen, logger: logger)),
        ]
    }
}

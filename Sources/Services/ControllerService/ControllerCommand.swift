import AccessTokens
package import ArgumentParser
import CurlTransfer
import Logging
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceRuntime

/// `controller`: the platform API and its worker.
package struct ControllerCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "controller",
        abstract: "The platform's API for the command line, and the worker that brings apps to what was asked for.",
        subcommands: [Serve.self, Worker.self, Migrate.self],
        defaultSubcommand: Serve.self)

    package init() {}

    /// Runs the subcommand the process was started with; returns when it has ended.
    package static func launch() async { await main() }

    /// Serves the API.
    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "serve", abstract: "Serve the API (the default).")

        func run() async throws {
            await ServiceProcess.run(name: "controller") { reader, process in
                let configuration = ControllerConfiguration(reader: &reader)
                let engine = EngineSettings(reader: &reader)
                try reader.validate()
                return try await makeAPIProcess(configuration, engine, process)
            }
        }
    }

    /// Does the work.
    struct Worker: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "worker", abstract: "Do the work the API leaves behind: deploys, restarts, removals.")

        func run() async throws {
            await ServiceProcess.run(name: "controller-worker") { reader, process in
                let configuration = ControllerConfiguration(reader: &reader)
                let settings = WorkerSettings(reader: &reader)
                let engine = EngineSettings(reader: &reader)
                try reader.validate()
                return try await makeWorkerProcess(configuration, settings, engine, process)
            }
        }
    }

    /// Brings the database to this program's schema.
    struct Migrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migrate", abstract: "Bring the database to this program's schema and exit.")

        func run() async throws {
            await ServiceProcess.command(name: "controller-migrate") { reader, process in
                let url = reader.secret("DATABASE_URL")
                try reader.validate()
                let pool = PostgresPool(configuration: .init(url: url, size: 2), logger: process.logger)
                defer { pool.close() }
                try await Migrator(migrations: ControllerMigrations.all, lockKey: ControllerMigrations.lockKey)
                    .run(pool, logger: process.logger)
            }
        }
    }
}

/// The parts of the process that serves the API, in order of dependency.
func makeAPIProcess(
    _ configuration: ControllerConfiguration, _ engine: EngineSettings, _ process: ServiceProcess
) async throws -> [ServiceProcess.Part] {
    let logger = process.logger
    let database = PostgresPool(
        configuration: .init(url: configuration.databaseURL, size: configuration.databasePoolSize), logger: logger)
    let client = try HTTPClient()
    let keysURL = "\(configuration.internalURL)/.well-known/jwks.json"
    let keys = RemoteKeySource(url: keysURL, client: client, logger: logger)
    let controller = try await Controller.make(
        configuration: configuration, database: database,
        peers: .init(
            provider: PassportClient(
                configuration: .init(
                    issuer: configuration.issuer, internalURL: configuration.internalURL,
                    clientID: configuration.clientID, clientSecret: configuration.clientSecret),
                client: client, keys: keys),
            verifier: AccessTokenVerifier(keys: keys, issuer: configuration.issuer), client: client,
            loggerCredentials: loggerCredentials(configuration, client), work: .outbox,
            pods: engine.makeEngine(http: client, logger: logger)),
        logger: logger)
    let server = controller.makeServer(listen: configuration.listen, metrics: process.metrics, drain: process.drain)
    return [.init("database", database), .init("app log", controller.appLog), .init("http", server)]
}

/// How the logger is asked for: with a token of our own unless it asks for none.
func loggerCredentials(_ configuration: ControllerConfiguration, _ client: HTTPClient) -> ClientCredentialsSource? {
    guard configuration.isLoggerProtected else { return nil }
    return ClientCredentialsSource(
        tokenURL: "\(configuration.internalURL)/token/", id: configuration.clientID,
        secret: configuration.clientSecret, scopes: ["logger:read", "logger:write"], client: client)
}

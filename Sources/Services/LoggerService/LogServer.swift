package import AccessTokens
import CurlTransfer
package import Hummingbird
package import Logging
import ServiceHTTP
import ServiceLifecycle
import ServiceRuntime

/// The composition root of the logger.
package enum LogServer {
    /// Runs the logger as this process.
    package static func run() async -> Never {
        await ServiceProcess.run(name: "logger") { reader, process in
            let configuration = LoggerConfiguration(reader: &reader)
            try reader.validate()
            return try await makeParts(configuration, process)
        }
    }

    private static func makeParts(
        _ configuration: LoggerConfiguration, _ process: ServiceProcess
    ) async throws -> [ServiceProcess.Part] {
        let spool = try configuration.spoolDirectory.map { try Spool(directory: $0, logger: process.logger) }
        let store = LogStore(limits: configuration.store, spool: spool)
        try await store.restore()
        var verifier: AccessTokenVerifier?
        if configuration.authentication == .token {
            verifier = AccessTokenVerifier(
                jwksURL: configuration.keysURL, issuer: configuration.issuer, client: try HTTPClient(),
                logger: process.logger)
        }
        let router = Router()
        HealthRoutes(checks: [], metrics: process.metrics, drain: process.drain).addRoutes(to: router)
        addRoutes(to: router, store: store, limits: configuration.queries, verifier: verifier, logger: process.logger)
        return [
            .init(
                "forward", ForwardListener(address: configuration.forwardListen, store: store, logger: process.logger)),
            .init("http", HTTPService(router: router, listen: configuration.listen, logger: process.logger)),
            .init("streams", StreamEnder(store: store)),
        ]
    }

    /// The routes of the logger behind its middleware; without a verifier they are open to everyone who can connect.
    package static func addRoutes<Context: RequestContext>(
        to router: Router<Context>, store: LogStore, limits: QueryLimits, verifier: AccessTokenVerifier?, logger: Logger
    ) {
        let base = router.group()
            .add(middleware: AccessLogMiddleware())
            .add(middleware: HTTPMetricsMiddleware())
            .add(middleware: ErrorReportingMiddleware())
        let readers = base.group()
        let writers = base.group()
        if let verifier {
            readers.add(middleware: RequireScope("logger:read", verifier: verifier))
            writers.add(middleware: RequireScope("logger:write", verifier: verifier))
        }
        LogRoutes(store: store, limits: limits, logger: logger).addRoutes(to: readers)
        IngestRoutes(store: store).addRoutes(to: writers)
    }
}

/// Ends the streams of followers as the first step of a shutdown; the HTTP server waits for its requests.
struct StreamEnder: Service {
    let store: LogStore

    func run() async throws {
        try await gracefulShutdown()
        await store.endFollowing()
    }
}

import Glibc
package import Logging
import Metrics
package import MetricsExposition
package import ServiceHTTP
package import ServiceLifecycle
import UnixSignals

/// What every server process has before its own parts are made.
package struct ServiceProcess: Sendable {
    package let name: String
    package let logger: Logger
    package let metrics: PrometheusMetrics
    /// Set when the process has been asked to stop; give it to ``HealthRoutes``.
    package let drain: DrainSignal

    /// A named part of the process; parts stop in reverse order.
    package struct Part: Sendable {
        package let name: String
        package let service: any Service

        package init(_ name: String, _ service: any Service) {
            self.name = name
            self.service = service
        }
    }

    /// Runs a server until SIGTERM or SIGINT and exits the process with 0, or with 1 and one line on standard error
    /// when it cannot start or a part of it fails.
    ///
    /// - Parameters:
    ///   - make: reads the configuration and builds the parts, in order of dependency.
    package static func run(
        name: String,
        _ make: @Sendable (inout ConfigurationReader, ServiceProcess) async throws -> [Part]
    ) async -> Never {
        do {
            var reader = try await ConfigurationReader()
            let process = ServiceProcess(name: name, reader: &reader)
            let timeout = reader.duration("SHUTDOWN_TIMEOUT", default: .seconds(25))
            let parts = try await make(&reader, process)
            try reader.validate()
            try await process.serve(parts, shutdownTimeout: timeout)
            end(0)
        } catch let error as ConfigurationError {
            fail(name, "configuration: \(error)")
        } catch {
            fail(name, "\(error)")
        }
    }

    /// Runs a command that ends by itself, with the same configuration and logging as a server.
    package static func command(
        name: String,
        _ body: @Sendable (inout ConfigurationReader, ServiceProcess) async throws -> Void
    ) async -> Never {
        do {
            var reader = try await ConfigurationReader()
            let process = ServiceProcess(name: name, reader: &reader)
            try await body(&reader, process)
            end(0)
        } catch let error as ConfigurationError {
            fail(name, "configuration: \(error)")
        } catch {
            fail(name, "\(error)")
        }
    }

    private init(name: String, reader: inout ConfigurationReader) {
        let settings = LoggingConfiguration(reader: &reader)
        LoggingSystem.bootstrap { label in LineLogHandler(label: label, configuration: settings) }
        self.name = name
        logger = Logger(label: name)
        metrics = PrometheusMetrics()
        drain = DrainSignal()
        MetricsSystem.bootstrap(metrics)
        // A peer that goes away is an error of that write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    private func serve(_ parts: [Part], shutdownTimeout: Duration) async throws {
        let drainPart = Part("drain", DrainService(signal: drain))
        var configuration = ServiceGroupConfiguration(
            services: (parts + [drainPart]).map { part in
                .init(
                    service: part.service, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup, serviceName: part.name)
            },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger)
        configuration.maximumGracefulShutdownDuration = shutdownTimeout
        try await ServiceGroup(configuration: configuration).run()
        logger.notice("Stopped")
    }

    private static func fail(_ name: String, _ message: String) -> Never {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        let bytes = Array("\(name): \(line)\n".utf8)
        // The exit code still tells when even this line cannot be written.
        _ = write(STDERR_FILENO, bytes, bytes.count)
        end(1)
    }

    /// Ends the process without the libraries' own clean-up.
    ///
    /// Threads of pools and clients may still be closing their connections then, and one that uses OpenSSL while that
    /// takes itself apart ends the process by a signal.
    private static func end(_ code: CInt) -> Never {
        fflush(nil)
        _exit(code)
    }
}

/// Marks the process as not ready as the first step of a shutdown.
private struct DrainService: Service {
    let signal: DrainSignal

    func run() async throws {
        await withGracefulShutdownHandler {
            let (stream, continuation) = AsyncStream<Never>.makeStream()
            defer { continuation.finish() }
            for await _ in stream.cancelOnGracefulShutdown() {}
        } onGracefulShutdown: {
            signal.beginDraining()
        }
    }
}

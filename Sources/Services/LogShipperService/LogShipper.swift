import Hummingbird
import Logging
import ServiceHTTP
import ServiceRuntime

/// The composition root of the shipper.
package enum LogShipper {
    /// Runs the shipper as this process.
    package static func run() async -> Never {
        await ServiceProcess.run(name: "fluentd-shipper") { reader, process in
            let configuration = ShipperConfiguration(reader: &reader)
            try reader.validate()
            return try makeParts(configuration, process)
        }
    }

    private struct LoggerAway: Error {}

    private static func makeParts(
        _ configuration: ShipperConfiguration, _ process: ServiceProcess
    ) throws -> [ServiceProcess.Part] {
        let wake = WakeFlag()
        let connectivity = Connectivity()
        let tailer = try LogTailer(configuration.tailer, logger: process.logger) { wake.set() }
        let delivery = LogDelivery(
            tailer: tailer, address: configuration.address, flushInterval: configuration.flushInterval,
            acknowledgementTimeout: configuration.acknowledgementTimeout, wake: wake, connectivity: connectivity,
            logger: process.logger)
        let router = Router()
        HealthRoutes(
            checks: [ReadinessCheck("logger") { if !connectivity.isConnected { throw LoggerAway() } }],
            metrics: process.metrics, drain: process.drain
        ).addRoutes(to: router)
        return [
            .init("delivery", delivery),
            .init("http", HTTPService(router: router, listen: configuration.listen, logger: process.logger)),
        ]
    }
}

import ServiceHTTP
package import ServiceRuntime

/// The settings of the shipper.
///
/// - `SHIPPER_LOG_DIRECTORY` (required): the folder with the log files of containers.
/// - `SHIPPER_STATE_DIRECTORY` (required): where positions are remembered; one process at a time.
/// - `LOGGER_FORWARD_ADDRESS` (`127.0.0.1:24224`): the logger's forward listener.
/// - `SHIPPER_METRICS_LISTEN` (`127.0.0.1:24231`): HTTP for probes and metrics.
/// - `SHIPPER_BATCH_BYTES` (1048576, 65536 to 8388608): the most read from one file at once.
/// - `SHIPPER_FLUSH_INTERVAL` (0.05 s): how long lines wait for others to travel with.
/// - `SHIPPER_RESCAN_INTERVAL` (5 s): how often all files are looked at, whatever was announced.
/// - `SHIPPER_MAX_LINE_BYTES` (262144, 1024 to 1048576): longer records are cut.
/// - `SHIPPER_PARTIAL_TIMEOUT` (5 s): how long the rest of a record is waited for.
/// - `SHIPPER_ACK_TIMEOUT` (30 s): after which unanswered batches are sent on a new connection.
/// - `SHIPPER_IN_FLIGHT_BYTES` (8388608, at least 1048576): read but not acknowledged.
/// - `SHIPPER_READ_FROM` (`beginning`): where the very first start begins in files that are there; `end` skips them.
package struct ShipperConfiguration: Sendable {
    let tailer: TailerConfiguration
    let address: ListenAddress
    let listen: ListenAddress
    let flushInterval: Duration
    let acknowledgementTimeout: Duration

    package init(reader: inout ConfigurationReader) {
        var tailer = TailerConfiguration(
            logDirectory: Self.directory("SHIPPER_LOG_DIRECTORY", &reader),
            stateDirectory: Self.directory("SHIPPER_STATE_DIRECTORY", &reader))
        address = reader.listen("LOGGER_FORWARD_ADDRESS", default: "127.0.0.1:24224")
        listen = reader.listen("SHIPPER_METRICS_LISTEN", default: "127.0.0.1:24231")
        tailer.batchBytes = reader.integer("SHIPPER_BATCH_BYTES", default: 1 << 20, in: 65_536...(8 << 20))
        flushInterval = reader.duration("SHIPPER_FLUSH_INTERVAL", default: .milliseconds(50))
        tailer.rescanInterval = reader.duration("SHIPPER_RESCAN_INTERVAL", default: .seconds(5))
        tailer.lineLimit = reader.integer("SHIPPER_MAX_LINE_BYTES", default: 256 << 10, in: 1024...(1 << 20))
        tailer.partialTimeout = reader.duration("SHIPPER_PARTIAL_TIMEOUT", default: .seconds(5))
        acknowledgementTimeout = reader.duration("SHIPPER_ACK_TIMEOUT", default: .seconds(30))
        tailer.inFlightBytes = reader.integer("SHIPPER_IN_FLIGHT_BYTES", default: 8 << 20, in: (1 << 20)...(1 << 30))
        tailer.readFrom = reader.choice("SHIPPER_READ_FROM", default: TailerConfiguration.ReadFrom.beginning)
        self.tailer = tailer
    }

    private static func directory(_ key: String, _ reader: inout ConfigurationReader) -> String {
        let path = reader.string(key)
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }
}

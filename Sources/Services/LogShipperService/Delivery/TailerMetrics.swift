import Metrics

/// What the tailer tells about itself.
struct TailerMetrics {
    private let lines = Counter(label: "shipper.lines")
    private let malformed = Counter(label: "shipper.lines.malformed")
    private let cut = Counter(label: "shipper.lines.cut")
    private let repeated = Counter(label: "shipper.batches.repeated")
    private let delivered = Counter(label: "shipper.delivered.bytes")
    private let acknowledgement = Timer(label: "shipper.acknowledgement.duration")
    private let files = Gauge(label: "shipper.files")
    private let withoutOrigin = Gauge(label: "shipper.files.unknown")
    private let lag = Gauge(label: "shipper.lag.bytes")
    private let lagAge = Gauge(label: "shipper.lag.seconds")

    func add(_ parser: RangeParser, isRepeated: Bool) {
        if isRepeated {
            repeated.increment()
        } else {
            lines.increment(by: parser.records.count)
            malformed.increment(by: parser.malformedCount)
            cut.increment(by: parser.cutCount)
        }
    }

    func acknowledged(bytes: Int, after duration: Duration) {
        delivered.increment(by: bytes)
        acknowledgement.record(duration: duration)
    }

    func report(_ status: LogTailer.Status) {
        files.record(status.files)
        withoutOrigin.record(status.filesWithoutOrigin)
        lag.record(status.lagBytes)
        lagAge.record(status.oldestInFlight.components.seconds)
    }
}

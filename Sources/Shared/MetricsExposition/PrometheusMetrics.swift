package import CoreMetrics
import Synchronization

/// Keeps a process's metrics and renders them in the Prometheus text format, version 0.0.4.
///
/// Labels are dotted in code (`http.requests`) and become `http_requests` on the page. Timers are histograms in
/// seconds; recorders are histograms or gauges.
package final class PrometheusMetrics: MetricsFactory, Sendable {
    private struct State {
        var series: [SeriesKey: any MetricSeries] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        handler(label, dimensions) { CounterSeries() }
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        handler(label, dimensions) { FloatingCounterSeries() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        handler(label, dimensions) { GaugeSeries() }
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate {
            handler(label, dimensions) { HistogramSeries(bounds: HistogramSeries.sizes) }
        } else {
            handler(label, dimensions) { GaugeSeries() }
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        handler(label, dimensions) { HistogramSeries(bounds: HistogramSeries.seconds) }
    }

    // Series live as long as the process: a counter that came back would have to start again at zero.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    private func handler<Series: MetricSeries>(
        _ label: String, _ dimensions: [(String, String)], make: () -> Series
    ) -> Series {
        let key = SeriesKey(label: label, dimensions: dimensions)
        return state.withLock { state in
            if let existing = state.series[key] as? Series { return existing }
            let series = make()
            state.series[key] = series
            return series
        }
    }

    /// The whole page, sorted by name so that two scrapes compare.
    package func exposition() -> String {
        let series = state.withLock { $0.series }
        var page = ""
        var lastName = ""
        for (key, value) in series.sorted(by: { $0.key < $1.key }) {
            let name = key.name + value.suffix
            if name != lastName {
                page += "# TYPE \(name) \(value.kind)\n"
                lastName = name
            }
            value.write(name: name, labels: key.labels, to: &page)
        }
        return page
    }
}

/// What tells one time series from another.
struct SeriesKey: Hashable, Comparable {
    let name: String
    /// Rendered `key="value"` pairs joined by commas, without braces.
    let labels: String

    init(label: String, dimensions: [(String, String)]) {
        name = Self.sanitize(label)
        labels = dimensions.map { "\(Self.sanitize($0.0))=\"\(Self.escape($0.1))\"" }.sorted().joined(separator: ",")
    }

    private static func sanitize(_ text: String) -> String {
        String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "_" ? $0 : "_" })
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result
    }

    static func < (left: Self, right: Self) -> Bool { (left.name, left.labels) < (right.name, right.labels) }
}

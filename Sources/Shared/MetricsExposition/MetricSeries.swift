import CoreMetrics
import Synchronization

/// One time series: remembers its numbers and writes its lines.
protocol MetricSeries: AnyObject, Sendable {
    /// The type named on the page: counter, gauge or histogram.
    var kind: String { get }
    /// What Prometheus naming adds to the name.
    var suffix: String { get }

    func write(name: String, labels: String, to page: inout String)
}

extension MetricSeries {
    func line(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}

final class CounterSeries: MetricSeries, CounterHandler {
    private let value = Atomic<Int64>(0)

    var kind: String { "counter" }
    var suffix: String { "_total" }

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(name: String, labels: String, to page: inout String) {
        page += line(name, labels, "\(value.load(ordering: .relaxed))")
    }
}

final class FloatingCounterSeries: MetricSeries, FloatingPointCounterHandler {
    private let value = Mutex(0.0)

    var kind: String { "counter" }
    var suffix: String { "_total" }

    func increment(by amount: Double) { value.withLock { $0 += amount } }

    func reset() { value.withLock { $0 = 0 } }

    func write(name: String, labels: String, to page: inout String) {
        page += line(name, labels, "\(value.withLock { $0 })")
    }
}

final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    var kind: String { "gauge" }
    var suffix: String { "" }

    func set(_ value: Int64) { self.value.withLock { $0 = Double(value) } }

    func set(_ value: Double) { self.value.withLock { $0 = value } }

    func increment(by amount: Double) { value.withLock { $0 += amount } }

    func decrement(by amount: Double) { value.withLock { $0 -= amount } }

    func record(_ value: Int64) { set(value) }

    func record(_ value: Double) { set(value) }

    func write(name: String, labels: String, to page: inout String) {
        page += line(name, labels, "\(value.withLock { $0 })")
    }
}

final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
    /// Bucket bounds for durations, in seconds.
    static let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
    /// Bucket bounds for sizes and counts.
    static let sizes = [1.0, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000]

    private struct State {
        var counts: [Int]
        var sum = 0.0
        var total = 0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count)))
    }

    var kind: String { "histogram" }
    var suffix: String { "" }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 }
        state.withLock { state in
            state.sum += value
            state.total += 1
            if let index { state.counts[index] += 1 }
        }
    }

    func write(name: String, labels: String, to page: inout String) {
        let state = state.withLock { $0 }
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative = 0
        for (bound, count) in zip(bounds, state.counts) {
            cumulative += count
            page += line("\(name)_bucket", "\(prefix)le=\"\(bound)\"", "\(cumulative)")
        }
        page += line("\(name)_bucket", "\(prefix)le=\"+Inf\"", "\(state.total)")
        page += line("\(name)_sum", labels, "\(state.sum)")
        page += line("\(name)_count", labels, "\(state.total)")
    }
}

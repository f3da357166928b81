import HTTPTypes
import Synchronization

/// Limits how often one caller may ask, over a sliding minute.
///
/// Kept per process: several replicas together allow as many times more.
/// At most ``callerLimit`` callers are remembered; beyond that the ones that have been quiet longest are forgotten.
final class Throttle: Sendable {
    /// Requests a minute; 0 means no limit.
    struct Rates: Sendable, Equatable {
        var anonymous = 120
        var polling = 240
        var user = 600
    }

    enum Caller: Hashable, Sendable {
        case address(String)
        case polling(String)
        case user(Int)
    }

    private struct Window {
        var start: ContinuousClock.Instant
        var count: Int
        var previous: Int
    }

    private static let callerLimit = 50_000
    private static let length = Duration.seconds(60)

    private let rates: Rates
    private let now: @Sendable () -> ContinuousClock.Instant
    private let windows = Mutex<[Caller: Window]>([:])

    init(rates: Rates, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.rates = rates
        self.now = now
    }

    /// Counts one request.
    ///
    /// - Throws: ``Refusal`` 429 with the seconds to wait.
    func admit(_ caller: Caller) throws(Refusal) {
        let rate =
            switch caller {
            case .address: rates.anonymous
            case .polling: rates.polling
            case .user: rates.user
            }
        guard rate > 0 else { return }
        let time = now()
        let wait: Int? = windows.withLock { windows in
            if windows.count > Self.callerLimit { windows = windows.filter { time - $0.value.start < Self.length } }
            if windows.count > Self.callerLimit { windows = [:] }
            var window = Self.current(windows[caller], at: time)
            let elapsed = Double((time - window.start).components.seconds) / 60
            guard Double(window.count) + Double(window.previous) * (1 - elapsed) < Double(rate) else {
                return max(1, 60 - Int((time - window.start).components.seconds))
            }
            window.count += 1
            windows[caller] = window
            return nil
        }
        guard let wait else { return }
        throw Refusal(
            .throttled, .detail("Request was throttled. Expected available in \(wait) seconds."),
            headers: [.retryAfter: "\(wait)"])
    }

    /// The window `time` falls into: the old one, the one after it, or a fresh one.
    private static func current(_ window: Window?, at time: ContinuousClock.Instant) -> Window {
        guard let window, time - window.start < length * 2 else { return Window(start: time, count: 0, previous: 0) }
        guard time - window.start >= length else { return window }
        return Window(start: window.start + length, count: 0, previous: window.count)
    }
}

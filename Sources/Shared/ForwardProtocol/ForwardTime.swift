import Glibc

/// When an event happened, in whole seconds since 1970 and nanoseconds within the second.
package struct ForwardTime: Sendable, Hashable, Comparable {
    package let seconds: Int64
    package let nanoseconds: UInt32

    package init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The time of the machine's clock.
    package static var now: ForwardTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return ForwardTime(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    }

    /// Takes seconds with a fraction; anything outside four-digit years is clamped.
    init(fractional: Double) {
        let limited = fractional.isFinite ? min(max(fractional, 0), 253_402_300_799) : 0
        let whole = limited.rounded(.down)
        seconds = Int64(whole)
        nanoseconds = UInt32(min((limited - whole) * 1e9, 999_999_999))
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

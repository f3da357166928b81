/// Growing waits between attempts: exponential, capped, with full jitter.
///
/// An infinite sequence; the caller bounds the number of attempts with `prefix` or a deadline.
package struct Backoff: Sendable, Sequence {
    package let initial: Duration
    package let limit: Duration
    package let factor: Double
    /// Share of each wait that is random, 0 to 1.
    package let jitter: Double

    package init(
        initial: Duration = .milliseconds(100), limit: Duration = .seconds(30), factor: Double = 2, jitter: Double = 0.5
    ) {
        self.initial = initial
        self.limit = limit
        self.factor = factor
        self.jitter = jitter
    }

    package func makeIterator() -> Iterator { Iterator(backoff: self, next: initial) }

    package struct Iterator: IteratorProtocol, Sendable {
        let backoff: Backoff
        var current: Duration

        init(backoff: Backoff, next: Duration) {
            self.backoff = backoff
            self.current = next
        }

        package mutating func next() -> Duration? {
            let wait = current
            current = Swift.min(backoff.limit, current * backoff.factor)
            let random = Double.random(in: (1 - backoff.jitter)...1)
            return wait * random
        }
    }
}

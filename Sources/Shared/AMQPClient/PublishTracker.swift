/// One caller's wait for the broker's word about a message.
struct PublishRequest: Sendable {
    let publication: AMQPPublication
    let deadline: ContinuousClock.Instant
    let started = ContinuousClock.now
    let continuation: CheckedContinuation<Result<Void, AMQPError>, Never>
}

/// Which published messages still wait for their confirm on the present channel.
///
/// A value: methods change it and hand back the requests to answer, with their results.
struct PublishTracker {
    typealias Settled = (request: PublishRequest, result: Result<Void, AMQPError>)

    private struct Entry {
        let request: PublishRequest
        var returned: AMQPError?
    }

    private var entries: [UInt64: Entry] = [:]
    private var lastTag: UInt64 = 0
    /// No entry has a smaller tag.
    private var lowest: UInt64 = 1

    var count: Int { entries.count }

    /// The tag that the broker will use for the next message.
    var nextTag: UInt64 { lastTag + 1 }

    mutating func add(_ request: PublishRequest) {
        lastTag += 1
        entries[lastTag] = Entry(request: request)
    }

    mutating func confirm(_ tag: UInt64, isMultiple: Bool) -> [Settled] {
        take(tag, isMultiple: isMultiple) { entry in entry.returned.map { .failure($0) } ?? .success(()) }
    }

    mutating func refuse(_ tag: UInt64, isMultiple: Bool) -> [Settled] {
        take(tag, isMultiple: isMultiple) { _ in .failure(AMQPError(.refused, "the broker refused the message")) }
    }

    /// Notes that a message found no queue; the confirm that follows becomes a failure.
    mutating func noteReturn(_ tag: UInt64, _ error: AMQPError) {
        entries[tag]?.returned = error
    }

    /// Gives up on messages whose time ran out; a confirm that comes later finds nobody.
    mutating func expire(at now: ContinuousClock.Instant) -> [Settled] {
        let expired = entries.filter { $0.value.request.deadline <= now }
        for tag in expired.keys { entries[tag] = nil }
        return expired.values.map { ($0.request, .failure(AMQPError(.timeout, "the broker did not confirm in time"))) }
    }

    /// Fails everything and starts counting anew: the channel is gone.
    mutating func reset(_ error: AMQPError) -> [Settled] {
        defer { self = PublishTracker() }
        return entries.values.map { ($0.request, .failure(error)) }
    }

    private mutating func take(
        _ tag: UInt64, isMultiple: Bool, _ result: (Entry) -> Result<Void, AMQPError>
    ) -> [Settled] {
        guard isMultiple else {
            return entries.removeValue(forKey: tag).map { [($0.request, result($0))] } ?? []
        }
        // The protocol lets zero stand for everything so far.
        let last = tag == 0 ? lastTag : min(tag, lastTag)
        var settled: [Settled] = []
        while lowest <= last {
            if let entry = entries.removeValue(forKey: lowest) { settled.append((entry.request, result(entry))) }
            lowest += 1
        }
        return settled
    }
}

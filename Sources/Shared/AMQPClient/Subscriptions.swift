import Logging

/// The consumers of one connection and which of them the broker serves at the moment.
struct Subscriptions {
    private struct Subscription {
        let consumer: AMQPConsumer
        let channel: UInt16
        var isActive = false
        var isCancelled = false
        var nextAttempt = ContinuousClock.now
    }

    /// How long to wait before asking again for a queue that is not there.
    private static let pause = Duration.seconds(1)

    private var byID: [Int: Subscription] = [:]
    private var idByChannel: [UInt16: Int] = [:]

    mutating func add(_ consumer: AMQPConsumer) {
        let channel = AMQPChannel.consumer(consumer.id)
        byID[consumer.id] = Subscription(consumer: consumer, channel: channel)
        idByChannel[channel] = consumer.id
    }

    /// After a connect nothing is subscribed; consumers that were cancelled have nothing left to settle.
    mutating func didConnect() {
        for id in byID.keys {
            byID[id]?.isActive = false
            byID[id]?.nextAttempt = .now
        }
    }

    /// Subscribes those that are not; a missing queue is asked for again later.
    ///
    /// - Returns: whether a queue is missing.
    mutating func subscribe(on handle: AMQPHandle, logger: Logger) throws(AMQPError) -> Bool {
        let now = ContinuousClock.now
        var misses = false
        for (id, subscription) in byID
        where !subscription.isActive && !subscription.isCancelled && subscription.nextAttempt <= now {
            let consumer = subscription.consumer
            do throws(AMQPError) {
                try handle.closeChannel(subscription.channel)
                try handle.openChannel(subscription.channel)
                if let generation = handle.generations[subscription.channel] {
                    consumer.didSubscribe(generation: generation)
                }
                try handle.consume(
                    consumer.queue, tag: consumer.tag, prefetch: consumer.prefetch, channel: subscription.channel)
                byID[id]?.isActive = true
            } catch {
                guard !handle.isBroken else { throw error }
                byID[id]?.nextAttempt = now + Self.pause
                misses = misses || error.code == .notFound
                logger.warning(
                    "Cannot consume from a queue",
                    metadata: ["queue": "\(consumer.queue)", "error": "\(String(reflecting: error))"])
            }
        }
        return misses
    }

    /// Hands a delivery to its consumer; false when nobody takes it.
    func deliver(_ delivery: AMQPDelivery) -> Bool {
        guard let id = idByChannel[delivery.channel], let subscription = byID[id], !subscription.isCancelled else {
            return false
        }
        return subscription.consumer.deliver(delivery)
    }

    /// The broker ended a subscription or its channel.
    mutating func didLose(channel: UInt16) {
        guard let id = idByChannel[channel] else { return }
        byID[id]?.isActive = false
        byID[id]?.nextAttempt = .now + Self.pause
    }

    func cancel(_ id: Int, on handle: AMQPHandle) throws(AMQPError) {
        guard let subscription = byID[id], subscription.isActive else { return }
        try handle.cancel(consumer: subscription.consumer.tag, channel: subscription.channel)
    }

    mutating func didCancel(_ id: Int) {
        byID[id]?.isCancelled = true
        byID[id]?.consumer.finish()
    }

    func close(_ id: Int, on handle: AMQPHandle) throws(AMQPError) {
        guard let subscription = byID[id] else { return }
        try handle.closeChannel(subscription.channel)
    }

    mutating func didClose(_ id: Int) {
        guard let subscription = byID.removeValue(forKey: id) else { return }
        idByChannel[subscription.channel] = nil
        subscription.consumer.finish()
    }

    mutating func finish() {
        for subscription in byID.values { subscription.consumer.finish() }
        byID = [:]
    }
}

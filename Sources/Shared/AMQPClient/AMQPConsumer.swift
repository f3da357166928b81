import Synchronization

/// A subscription to a queue: an endless sequence of deliveries that survives reconnects.
///
/// At most `prefetch` deliveries are unsettled at a time, so its buffer is bounded by the broker. Deliveries from
/// before a reconnect that were not taken yet are skipped, since the broker delivers them again. Has one reader.
package final class AMQPConsumer: AsyncSequence, Sendable {
    package typealias Element = AMQPDelivery

    let id: Int
    let queue: String
    let prefetch: UInt16
    private let connection: ConnectionCore
    private let stream: AsyncStream<AMQPDelivery>
    private let continuation: AsyncStream<AMQPDelivery>.Continuation
    /// The generation of the channel whose deliveries can be settled.
    private let generation = Atomic<Int>(0)

    init(id: Int, queue: String, prefetch: UInt16, connection: ConnectionCore) {
        self.id = id
        self.queue = queue
        self.prefetch = prefetch
        self.connection = connection
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(4 * Int(prefetch)))
    }

    var tag: String { "workflow-\(id)" }

    /// Stops further deliveries and ends the sequence after those already here; they can still be settled.
    package func cancel() {
        connection.post(.cancelConsumer(id))
    }

    /// Ends the subscription: whatever is unsettled goes back to the queue.
    package func close() {
        connection.post(.closeConsumer(id))
    }

    // MARK: - For the connection's thread

    func didSubscribe(generation: Int) {
        self.generation.store(generation, ordering: .releasing)
    }

    /// Hands a delivery to the reader; false when it does not fit any more.
    func deliver(_ delivery: AMQPDelivery) -> Bool {
        if case .enqueued = continuation.yield(delivery) { return true }
        return false
    }

    func finish() {
        continuation.finish()
    }

    package func makeAsyncIterator() -> Iterator {
        Iterator(base: stream.makeAsyncIterator(), consumer: self)
    }

    package struct Iterator: AsyncIteratorProtocol {
        private var base: AsyncStream<AMQPDelivery>.Iterator
        private let consumer: AMQPConsumer

        fileprivate init(base: AsyncStream<AMQPDelivery>.Iterator, consumer: AMQPConsumer) {
            self.base = base
            self.consumer = consumer
        }

        /// The next delivery; nil when the subscription has ended or the reader's task is cancelled.
        package mutating func next() async -> AMQPDelivery? {
            while let delivery = await base.next() {
                if delivery.generation == consumer.generation.load(ordering: .acquiring) { return delivery }
            }
            return nil
        }
    }
}

/// A message handed to us that the broker keeps until it is settled.
///
/// Settle it once. Settling after a reconnect does nothing: the broker delivers the message again.
package struct AMQPDelivery: Sendable {
    package let message: AMQPMessage
    let tag: UInt64
    let channel: UInt16
    let generation: Int
    let connection: ConnectionCore

    /// The message is dealt with; the broker forgets it.
    package func ack() { settle(.acknowledge) }

    /// Puts the message back into its queue.
    package func nack() { settle(.requeue) }

    /// Refuses the message: the broker drops it, or dead-letters it if the queue says so.
    package func reject() { settle(.reject) }

    private func settle(_ settlement: AMQPSettlement) {
        connection.post(.settle(tag: tag, settlement, channel: channel, generation: generation))
    }
}

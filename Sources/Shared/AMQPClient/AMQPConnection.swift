import ConcurrencyPrimitives
package import Logging
package import PlatformModel

/// One connection to a broker, which comes back by itself after it was lost.
///
/// Owns a thread; closes with its last reference or with ``close()``. Publishing and consuming go over separate
/// channels, so an unlucky declaration disturbs neither.
package final class AMQPConnection: Sendable {
    /// How long an operation may wait for the connection and its answer together.
    private let limit: Duration
    private let core = ConnectionCore()
    private let topology = TopologyMemory()

    /// Starts connecting at once, and goes on trying with growing pauses.
    ///
    /// - Parameters:
    ///   - url: `amqp://user:password@host:port/vhost?heartbeat=10`, or `amqps` with an optional `cacertfile`.
    ///   - name: what the broker shows for the connection.
    ///   - limit: how long each operation may take, waiting for a connection included.
    /// - Throws: `.invalidURL`; a broker that is away is not an error.
    package init(
        url: Secret, name: String, limit: Duration = .seconds(15), logger: Logger
    ) throws(AMQPError) {
        let address = try AMQPAddress(url.reveal())
        self.limit = limit
        let core = core
        let topology = topology
        OperatingSystemThread.start(name: "amqp-\(name)", stackSize: 512 << 10) {
            ConnectionLoop(core: core, topology: topology, address: address, name: name, logger: logger).run()
        }
    }

    deinit { core.post(.stop) }

    /// Closes the connection: waiting operations fail with `.closed`, subscriptions end.
    package func close() {
        core.post(.stop)
    }

    /// Publishes a message and returns once the broker has taken responsibility for it.
    ///
    /// Many calls at a time share the connection without waiting for each other. Cancellation does not interrupt a
    /// publish, whose end is bounded by the connection's limit.
    /// - Parameters:
    ///   - isMandatory: whether a message that reaches no queue is an error.
    /// - Throws: `.unroutable` for a mandatory message without a queue; an error whose ``AMQPError/isRetryable`` is
    ///   true when the broker was away, went away or did not answer: the message may have been taken then.
    package func publish(
        exchange: String = "", routingKey: String, body: [UInt8], properties: AMQPProperties = AMQPProperties(),
        isMandatory: Bool = true
    ) async throws(AMQPError) {
        let publication = AMQPPublication(
            exchange: exchange, routingKey: routingKey, body: body, properties: properties, isMandatory: isMandatory)
        let result = await withCheckedContinuation { continuation in
            core.post(
                .publish(
                    PublishRequest(
                        publication: publication, deadline: .now + limit, continuation: continuation)))
        }
        try result.get()
    }

    /// Subscribes to a queue; deliveries begin when the broker is there and the queue exists.
    package func consume(queue: String, prefetch: Int) -> AMQPConsumer {
        let consumer = AMQPConsumer(
            id: core.nextID(), queue: queue, prefetch: UInt16(clamping: max(1, prefetch)), connection: core)
        core.post(.addConsumer(consumer))
        return consumer
    }

    /// Declares queues, exchanges and bindings, in order, now and after each reconnect.
    ///
    /// - Throws: `.preconditionFailed` when one exists with other properties.
    package func declare(_ declarations: [AMQPDeclaration]) async throws(AMQPError) {
        try await operate { handle throws(AMQPError) in
            for declaration in declarations { try handle.declare(declaration, channel: AMQPChannel.operations) }
        }
        topology.add(declarations)
    }

    /// The queue's depth and consumers.
    ///
    /// - Throws: `.notFound` when it does not exist.
    package func queueStatus(_ queue: String) async throws(AMQPError) -> AMQPQueueStatus {
        try await operate { handle throws(AMQPError) in
            try handle.status(of: queue, channel: AMQPChannel.operations)
        }
    }

    /// Drops all messages of a queue that are not handed out, and returns their number.
    @discardableResult
    package func purge(_ queue: String) async throws(AMQPError) -> Int {
        try await operate { handle throws(AMQPError) in try handle.purge(queue, channel: AMQPChannel.operations) }
    }

    /// Deletes a queue with its messages; a queue that does not exist is not an error.
    package func delete(queue: String) async throws(AMQPError) {
        try await operate { handle throws(AMQPError) in
            try handle.delete(queue: queue, channel: AMQPChannel.operations)
        }
    }

    /// Takes a queue out of an exchange; messages of that key are unroutable from then on. No binding is not an error.
    package func unbind(queue: String, exchange: String, routingKey: String) async throws(AMQPError) {
        try await operate { handle throws(AMQPError) in
            try handle.unbind(queue: queue, exchange: exchange, routingKey: routingKey, channel: AMQPChannel.operations)
        }
    }

    /// Takes one message, nil when the queue is empty. Unsettled it stays with this connection until that ends.
    package func get(_ queue: String) async throws(AMQPError) -> AMQPDelivery? {
        try await get(queue, channel: AMQPChannel.operations)
    }

    /// Lets `body` take messages from queues; those it does not settle go back in their order before this returns.
    package func withSession<Value: Sendable>(
        isolatedTo caller: isolated (any Actor)? = #isolation,
        _ body: (AMQPSession) async throws -> Value
    ) async throws -> Value {
        let channel = AMQPChannel.session(core.nextID())
        try await operate { handle throws(AMQPError) in try handle.openChannel(channel) }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(AMQPSession(connection: self, channel: channel)))
        } catch {
            result = .failure(error)
        }
        do throws(AMQPError) {
            try await operate { handle throws(AMQPError) in
                try handle.requeueAll(channel)
                try handle.closeChannel(channel)
            }
        } catch {
            // The channel has gone with its connection, which gives its messages back just as well.
            guard error.isRetryable || error.code == .closed else { throw error }
        }
        return try result.get()
    }

    fileprivate func get(_ queue: String, channel: UInt16) async throws(AMQPError) -> AMQPDelivery? {
        let core = core
        return try await operate { handle throws(AMQPError) in
            guard let generation = handle.generations[channel] else {
                throw AMQPError(.connectionLost, "the session's connection was lost")
            }
            guard let got = try handle.get(queue, channel: channel) else { return nil }
            return AMQPDelivery(
                message: got.message, tag: got.tag, channel: channel, generation: generation, connection: core)
        }
    }

    private func operate<Value: Sendable>(
        _ body: @escaping @Sendable (AMQPHandle) throws(AMQPError) -> Value
    ) async throws(AMQPError) -> Value {
        let result: Result<Value, AMQPError> = await withCheckedContinuation { continuation in
            let operation = ConnectionCore.Operation(deadline: .now + limit) { handle in
                do throws(AMQPError) {
                    continuation.resume(returning: .success(try body(handle)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            } fail: { error in
                continuation.resume(returning: .failure(error))
            }
            core.post(.operation(operation))
        }
        return try result.get()
    }
}

/// A channel of its own for taking single messages; see ``AMQPConnection/withSession(isolatedTo:_:)``.
package struct AMQPSession: Sendable {
    fileprivate let connection: AMQPConnection
    fileprivate let channel: UInt16

    /// Takes one message, nil when the queue is empty.
    package func get(_ queue: String) async throws(AMQPError) -> AMQPDelivery? {
        try await connection.get(queue, channel: channel)
    }
}

/// Which channel is for what.
enum AMQPChannel {
    static let publishing: UInt16 = 1
    static let operations: UInt16 = 2

    // Two ranges, so that a short session never meets a consumer that has lived long; brokers allow 2,047 channels.
    static func consumer(_ id: Int) -> UInt16 { UInt16(3 + id % 1_000) }

    static func session(_ id: Int) -> UInt16 { UInt16(1_003 + id % 1_000) }
}

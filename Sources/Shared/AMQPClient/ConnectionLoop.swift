import ConcurrencyPrimitives
import Logging

/// The life of a connection's thread: connect, serve callers and broker, begin again.
///
/// Everything here belongs to that thread.
final class ConnectionLoop {
    private let core: ConnectionCore
    private let topology: TopologyMemory
    private let address: AMQPAddress
    private let name: String
    private let logger: Logger
    private let metrics = AMQPMetrics()

    private var handle: AMQPHandle?
    private var generation = 0
    private var tracker = PublishTracker()
    private var publishes: [PublishRequest] = []
    private var operations: [ConnectionCore.Operation] = []
    private var subscriptions = Subscriptions()
    private var pauses = ConnectionLoop.backoff.makeIterator()
    private var nextAttempt = ContinuousClock.now
    private var isStopped = false

    private static let backoff = Backoff(initial: .milliseconds(50), limit: .seconds(5))
    /// How long the thread may sleep: heartbeats are sent and checked in between.
    private static let tick = Duration.milliseconds(500)
    /// How many messages may wait for their confirm at a time.
    private static let inFlightLimit = 4_096

    init(core: ConnectionCore, topology: TopologyMemory, address: AMQPAddress, name: String, logger: Logger) {
        self.core = core
        self.topology = topology
        self.address = address
        self.name = name
        self.logger = logger
    }

    func run() {
        while !isStopped {
            takeJobs()
            if handle == nil, !isStopped, ContinuousClock.now >= nextAttempt { connect() }
            if let handle { serve(handle) }
            expire()
            if !isStopped { rest() }
        }
        let closed = AMQPError(.closed, "the connection is closed")
        lose(closed, reconnects: false)
        for request in publishes { request.continuation.resume(returning: .failure(closed)) }
        for operation in operations { operation.fail(closed) }
        for job in core.takeJobs() { job.refuse(closed) }
        subscriptions.finish()
    }

    private func takeJobs() {
        for job in core.takeJobs() {
            switch job {
            case .publish(let request): publishes.append(request)
            case .operation(let operation): operations.append(operation)
            case .settle(let tag, let settlement, let channel, let generation):
                guard let handle, handle.generations[channel] == generation else { continue }
                attempt { handle throws(AMQPError) in try handle.settle(tag, settlement, channel: channel) }
            case .addConsumer(let consumer): subscriptions.add(consumer)
            case .cancelConsumer(let id):
                attempt { [subscriptions] handle throws(AMQPError) in try subscriptions.cancel(id, on: handle) }
                subscriptions.didCancel(id)
            case .closeConsumer(let id):
                attempt { [subscriptions] handle throws(AMQPError) in try subscriptions.close(id, on: handle) }
                subscriptions.didClose(id)
            case .stop:
                handle?.close()
                isStopped = true
            }
        }
    }

    // MARK: - Connecting

    private func connect() {
        do throws(AMQPError) {
            let handle = try AMQPHandle(address, name: name, generation: generation)
            try handle.openChannel(AMQPChannel.publishing)
            try handle.selectConfirms(AMQPChannel.publishing)
            try handle.openChannel(AMQPChannel.operations)
            try redeclare(on: handle)
            self.handle = handle
            subscriptions.didConnect()
            pauses = Self.backoff.makeIterator()
            metrics.didConnect()
            logger.info("Connected to the broker", metadata: ["peer": "\(address.host):\(address.port)"])
        } catch {
            metrics.count(error)
            let pause = pauses.next() ?? .seconds(5)
            nextAttempt = .now + pause
            logger.warning(
                "Cannot connect to the broker",
                metadata: ["peer": "\(address.host):\(address.port)", "error": "\(String(reflecting: error))"])
        }
    }

    /// Declares again what was declared before, in case the broker comes back empty.
    ///
    /// A queue that somebody has replaced by one with other properties is not worth the connection.
    private func redeclare(on handle: AMQPHandle) throws(AMQPError) {
        for declaration in topology.all {
            do throws(AMQPError) {
                try handle.declare(declaration, channel: AMQPChannel.operations)
            } catch {
                guard !handle.isBroken else { throw error }
                logger.warning("Cannot declare again", metadata: ["error": "\(String(reflecting: error))"])
                try restoreChannels(handle)
            }
        }
    }

    /// Drops the connection and fails what was under way on it.
    private func lose(_ error: AMQPError, reconnects: Bool = true) {
        guard let lost = handle else { return }
        generation = lost.generation
        handle = nil
        settle(tracker.reset(AMQPError(reconnects ? .connectionLost : error.code, error.detail)))
        nextAttempt = .now + (pauses.next() ?? .seconds(5))
        guard reconnects else { return }
        metrics.didLoseConnection()
        logger.warning("Lost the connection to the broker", metadata: ["error": "\(String(reflecting: error))"])
    }

    /// Does something with the connection, which is dropped if it turns out to be broken.
    private func attempt(_ body: (AMQPHandle) throws(AMQPError) -> Void) {
        guard let handle else { return }
        do throws(AMQPError) {
            try body(handle)
        } catch {
            metrics.count(error)
            logger.debug("A broker operation failed", metadata: ["error": "\(String(reflecting: error))"])
            if handle.isBroken { lose(error) }
        }
    }

    // MARK: - Serving

    private func serve(_ handle: AMQPHandle) {
        attempt { handle throws(AMQPError) in try restoreChannels(handle) }
        attempt { handle throws(AMQPError) in
            let misses = try subscriptions.subscribe(on: handle, logger: logger)
            // Somebody deleted a queue of ours: its consumer finds it again at the next attempt.
            if misses { try redeclare(on: handle) }
        }
        publishWaiting()
        let waiting = operations
        operations = []
        for (index, operation) in waiting.enumerated() {
            guard let handle = self.handle else {
                operations = Array(waiting[index...]) + operations
                return
            }
            operation.run(handle)
            if handle.isBroken { lose(AMQPError(.connectionLost, "lost in an operation")) }
            attempt { handle throws(AMQPError) in try restoreChannels(handle) }
        }
        drain()
    }

    /// Opens the channels that the broker closed because of a failed operation.
    private func restoreChannels(_ handle: AMQPHandle) throws(AMQPError) {
        if handle.generations[AMQPChannel.operations] == nil { try handle.openChannel(AMQPChannel.operations) }
        if handle.generations[AMQPChannel.publishing] == nil {
            settle(tracker.reset(AMQPError(.channelClosed, "the broker closed the publishing channel")))
            try handle.openChannel(AMQPChannel.publishing)
            try handle.selectConfirms(AMQPChannel.publishing)
        }
    }

    private func publishWaiting() {
        var sent = 0
        while sent < publishes.count, tracker.count < Self.inFlightLimit, let handle {
            let request = publishes[sent]
            sent += 1
            let tag = tracker.nextTag
            tracker.add(request)
            do throws(AMQPError) {
                try handle.publish(request.publication, tag: tag, channel: AMQPChannel.publishing)
            } catch {
                lose(error)
            }
        }
        publishes.removeFirst(sent)
    }

    /// Takes in everything the broker has sent.
    private func drain() {
        while let handle {
            do throws(AMQPError) {
                guard let event = try handle.nextEvent() else { return }
                take(event, on: handle)
            } catch {
                lose(error)
            }
        }
    }

    private func take(_ event: AMQPEvent, on handle: AMQPHandle) {
        switch event {
        case .confirmed(let tag, let isMultiple): settle(tracker.confirm(tag, isMultiple: isMultiple))
        case .refused(let tag, let isMultiple): settle(tracker.refuse(tag, isMultiple: isMultiple))
        case .returned(let tag, let error): if let tag { tracker.noteReturn(tag, error) }
        case .delivered(let channel, let tag, let message):
            guard let generation = handle.generations[channel] else { return }
            metrics.didDeliver()
            let delivery = AMQPDelivery(
                message: message, tag: tag, channel: channel, generation: generation, connection: core)
            if !subscriptions.deliver(delivery) { delivery.nack() }
        case .cancelled(let channel): subscriptions.didLose(channel: channel)
        case .channelClosed(let channel, let error):
            metrics.count(error)
            logger.warning("The broker closed a channel", metadata: ["error": "\(String(reflecting: error))"])
            subscriptions.didLose(channel: channel)
            attempt { handle throws(AMQPError) in try restoreChannels(handle) }
        case .other: break
        }
    }

    private func settle(_ settled: [PublishTracker.Settled]) {
        for (request, result) in settled {
            metrics.didPublish(since: request.started, result)
            request.continuation.resume(returning: result)
        }
    }

    /// Fails what has waited too long.
    private func expire() {
        let now = ContinuousClock.now
        settle(tracker.expire(at: now))
        let unavailable = AMQPError(.unavailable, "no connection to the broker in time")
        settle(publishes.filter { $0.deadline <= now }.map { ($0, .failure(unavailable)) })
        publishes.removeAll { $0.deadline <= now }
        for operation in operations where operation.deadline <= now { operation.fail(unavailable) }
        operations.removeAll { $0.deadline <= now }
    }

    private func rest() {
        guard let handle else {
            _ = core.wake.wait(limit: min(Self.tick, nextAttempt - .now))
            return
        }
        guard !handle.hasBufferedInput else { return }
        let hasWork = !publishes.isEmpty && tracker.count < Self.inFlightLimit || !operations.isEmpty
        _ = core.wake.wait(alsoFor: handle.socket, limit: hasWork ? .zero : Self.tick)
    }
}

import ConcurrencyPrimitives
package import Logging
package import PlatformModel
import Synchronization

/// What a listener learns.
package enum PostgresNotification: Sendable, Equatable {
    /// Somebody notified the channel.
    case message(payload: String)
    /// Listening has just begun, or begun again after a lost connection: read the state, messages may be missing.
    case resync
}

/// Listens for NOTIFY on a connection of its own.
///
/// The connection is made with the first listener and again whenever it breaks. It ends with the last reference to
/// this object, which also ends the streams.
package final class PostgresNotifications: Sendable {
    private let listener: NotificationListener

    package init(url: Secret, logger: Logger) {
        listener = NotificationListener(url: url, logger: logger)
    }

    deinit { listener.stop() }

    /// Notifications of a channel, beginning with `.resync` once listening has begun.
    ///
    /// A reader that falls behind by more than `limit` loses the oldest ones; since any event asks it to read the
    /// state, nothing else is lost.
    package func listen(_ channel: String, limit: Int = 64) -> AsyncStream<PostgresNotification> {
        listener.listen(channel, limit: max(1, limit))
    }
}

private final class NotificationListener: Sendable {
    private struct Subscription {
        let channel: String
        let continuation: AsyncStream<PostgresNotification>.Continuation
        /// Whether the present connection listens for it.
        var isActive = false
    }

    private struct State {
        var subscriptions: [Int: Subscription] = [:]
        var nextID = 0
        var isStarted = false
        var isStopped = false
    }

    private let url: Secret
    private let logger: Logger
    private let state = Mutex(State())
    private let wake = WakeSignal()

    init(url: Secret, logger: Logger) {
        self.url = url
        self.logger = logger
    }

    func listen(_ channel: String, limit: Int) -> AsyncStream<PostgresNotification> {
        let (stream, continuation) = AsyncStream<PostgresNotification>.makeStream(
            bufferingPolicy: .bufferingNewest(limit))
        let (id, isFirst, isStopped) = state.withLock { state in
            state.nextID += 1
            if !state.isStopped {
                state.subscriptions[state.nextID] = Subscription(channel: channel, continuation: continuation)
            }
            defer { state.isStarted = true }
            return (state.nextID, !state.isStarted, state.isStopped)
        }
        guard !isStopped else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.remove(id) }
        if isFirst { OperatingSystemThread.start(name: "postgres-listen", stackSize: 512 << 10) { self.run() } }
        wake.signal()
        return stream
    }

    func stop() {
        let subscriptions = state.withLock { state in
            state.isStopped = true
            defer { state.subscriptions = [:] }
            return state.subscriptions.values.map(\.continuation)
        }
        for continuation in subscriptions { continuation.finish() }
        wake.signal()
    }

    private func remove(_ id: Int) {
        state.withLock { _ = $0.subscriptions.removeValue(forKey: id) }
        wake.signal()
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func run() {
        var pauses = Backoff(initial: .milliseconds(50), limit: .seconds(5)).makeIterator()
        while !isStopped {
            do throws(PostgresError) {
                let connection = try ConnectionHandle(url: url, applicationName: "workflow-listen")
                pauses = Backoff(initial: .milliseconds(50), limit: .seconds(5)).makeIterator()
                try follow(connection)
            } catch {
                logger.warning(
                    "Lost the connection that listens for notifications",
                    metadata: ["error": "\(String(reflecting: error))"])
            }
            let end = ContinuousClock.now + (pauses.next() ?? .seconds(5))
            while !isStopped, ContinuousClock.now < end { _ = wake.wait(limit: end - ContinuousClock.now) }
        }
    }

    /// Listens on one connection until it breaks or the object goes away.
    private func follow(_ connection: ConnectionHandle) throws(PostgresError) {
        var channels: Set<String> = []
        state.withLock { state in
            for id in state.subscriptions.keys { state.subscriptions[id]?.isActive = false }
        }
        while !isStopped {
            let hasRunStatements = try adjust(&channels, on: connection)
            while let notification = connection.nextNotification() { deliver(notification) }
            // A statement that is waited for takes the signals of those who come or go meanwhile: look again.
            guard !hasRunStatements else { continue }
            let isReadable = wake.wait(alsoFor: connection.socket, limit: .seconds(30))
            if isReadable { connection.consumeInput() }
            guard !connection.isBroken else { throw PostgresError(.connectionLost, detail: "closed by the server") }
        }
    }

    /// Makes the connection listen to exactly the channels that have listeners, and welcomes new listeners.
    ///
    /// - Returns: whether that took a statement.
    private func adjust(_ channels: inout Set<String>, on connection: ConnectionHandle) throws(PostgresError) -> Bool {
        let wanted = state.withLock { Set($0.subscriptions.values.map(\.channel)) }
        for channel in wanted.subtracting(channels) {
            _ = try run("LISTEN \(identifier: channel)", on: connection)
        }
        for channel in channels.subtracting(wanted) {
            _ = try run("UNLISTEN \(identifier: channel)", on: connection)
        }
        let hasRunStatements = channels != wanted
        channels = wanted
        let welcomed = state.withLock { state in
            var welcomed: [AsyncStream<PostgresNotification>.Continuation] = []
            for (id, subscription) in state.subscriptions
            where !subscription.isActive && wanted.contains(subscription.channel) {
                state.subscriptions[id]?.isActive = true
                welcomed.append(subscription.continuation)
            }
            return welcomed
        }
        for continuation in welcomed { continuation.yield(.resync) }
        return hasRunStatements
    }

    private func run(_ sql: SQL, on connection: ConnectionHandle) throws(PostgresError) -> ResultHandle {
        try connection.run(sql, watch: StatementWatch(limit: .seconds(10), wake: wake))
    }

    private func deliver(_ notification: (channel: String, payload: String)) {
        let continuations = state.withLock { state in
            state.subscriptions.values.filter { $0.channel == notification.channel }.map(\.continuation)
        }
        for continuation in continuations { continuation.yield(.message(payload: notification.payload)) }
    }
}

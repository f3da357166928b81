import ConcurrencyPrimitives
import ForwardProtocol
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceHTTP
import ServiceLifecycle
import Synchronization

/// Carries batches to the logger and acknowledgements back, for as long as the process runs.
///
/// While the logger is away nothing is read, but files are still held open, so that rotation loses nothing.
struct LogDelivery: Service {
    /// The logger did not acknowledge a batch in time.
    struct AcknowledgementOverdue: Error {}
    /// The logger closed the connection.
    struct ConnectionClosed: Error {}

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let tailer: LogTailer
    let address: ListenAddress
    let flushInterval: Duration
    let acknowledgementTimeout: Duration
    let wake: WakeFlag
    let connectivity: Connectivity
    let logger: Logger
    private let reconnects = Counter(label: "shipper.reconnects")

    init(
        tailer: LogTailer, address: ListenAddress, flushInterval: Duration, acknowledgementTimeout: Duration,
        wake: WakeFlag, connectivity: Connectivity, logger: Logger
    ) {
        self.tailer = tailer
        self.address = address
        self.flushInterval = flushInterval
        self.acknowledgementTimeout = acknowledgementTimeout
        self.wake = wake
        self.connectivity = connectivity
        self.logger = logger
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await deliver() }
                    group.addTask { try await observe() }
                    try await group.next()
                    group.cancelAll()
                }
            }
        } catch is CancellationError {
            // Asked to stop: what is not acknowledged is sent again after the next start.
        }
    }

    /// Keeps files in sight, whether or not there is a connection.
    private func observe() async throws {
        while true {
            try await tailer.observe()
            let status = try await tailer.status()
            wake.set()
            if status.oldestInFlight > acknowledgementTimeout { connectivity.interrupt() }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func deliver() async throws {
        var backoff = Backoff(initial: .milliseconds(100), limit: .seconds(5)).makeIterator()
        while true {
            do {
                try await session()
            } catch let error as CancellationError {
                throw error
            } catch {
                if Task.isCancelled { throw CancellationError() }
                if connectivity.disconnected() {
                    logger.warning(
                        "The logger is away; lines wait in their files",
                        metadata: ["address": "\(address)", "error": "\(error)"])
                    backoff = Backoff(initial: .milliseconds(100), limit: .seconds(5)).makeIterator()
                }
            }
            await tailer.connectionLost()
            reconnects.increment()
            try await Task.sleep(for: backoff.next() ?? .seconds(5))
        }
    }

    private func session() async throws {
        let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        try await connection.executeThenClose { inbound, outbound in
            if connectivity.connected(connection.channel) {
                logger.notice("Connected to the logger", metadata: ["address": "\(address)"])
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await send(on: outbound) }
                group.addTask { try await receive(from: inbound) }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func send(on outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws {
        while true {
            let work = try await tailer.collect()
            for batch in work.batches { try await outbound.write(batch.message) }
            await wake.wait()
            try Task.checkCancellation()
            // Lines that come one by one travel together.
            if !work.isBacklogged { try await Task.sleep(for: flushInterval) }
        }
    }

    private func receive(from inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async throws {
        var decoder = ForwardAcknowledgementDecoder()
        for try await bytes in inbound {
            decoder.append(bytes)
            while let chunk = try decoder.next() {
                if await tailer.acknowledge(chunk) { wake.set() }
            }
        }
        throw ConnectionClosed()
    }
}

/// Whether the logger is connected, for readiness, metrics and a log that tells changes only.
final class Connectivity: Sendable {
    private struct State {
        var channel: (any Channel)?
        /// Nil until the first attempt has ended.
        var isConnected: Bool?
    }

    private let state = Mutex(State())
    private let gauge = Gauge(label: "shipper.connected")

    var isConnected: Bool { state.withLock { $0.isConnected == true } }

    /// Returns true when this is news.
    func connected(_ channel: any Channel) -> Bool {
        gauge.record(1)
        return state.withLock { state in
            defer { state.isConnected = true }
            state.channel = channel
            return state.isConnected != true
        }
    }

    /// Returns true when this is news.
    func disconnected() -> Bool {
        gauge.record(0)
        return state.withLock { state in
            defer { state.isConnected = false }
            state.channel = nil
            return state.isConnected != false
        }
    }

    /// Breaks the connection, so that what is unanswered is sent again on another.
    func interrupt() {
        let channel = state.withLock { $0.channel }
        channel?.close(promise: nil)
    }
}

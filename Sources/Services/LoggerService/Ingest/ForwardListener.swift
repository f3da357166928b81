import ForwardProtocol
package import Logging
import Metrics
import NIOCore
import NIOPosix
package import ServiceHTTP
import ServiceLifecycle

/// Receives lines by the forward protocol and acknowledges each batch once it is stored.
///
/// A batch that cannot be stored is not acknowledged and its connection is closed: the sender keeps it.
package struct ForwardListener: Service {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let address: ListenAddress
    private let store: LogStore
    private let logger: Logger
    private let onRunning: @Sendable (Int) async -> Void
    private let metrics = ForwardMetrics()

    /// - Parameter onRunning: called with the bound port once the socket listens.
    package init(
        address: ListenAddress, store: LogStore, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.address = address
        self.store = store
        self.logger = logger
        self.onRunning = onRunning
    }

    package func run() async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .bind(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        let port = server.channel.localAddress?.port ?? address.port
        logger.notice("Listening for forwarded logs", metadata: ["address": "\(address.host):\(port)"])
        await onRunning(port)
        do {
            try await cancelWhenGracefulShutdown { try await accept(server) }
        } catch is CancellationError {
            // Asked to stop.
        }
    }

    private func accept(_ server: NIOAsyncChannel<Connection, Never>) async throws {
        try await server.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    group.addTask { await serve(connection) }
                }
            }
        }
    }

    private func serve(_ connection: Connection) async {
        metrics.connections.increment()
        do {
            try await connection.executeThenClose { inbound, outbound in
                var decoder = ForwardDecoder()
                for try await bytes in inbound {
                    decoder.append(bytes)
                    while let message = try decoder.next() {
                        try await take(message)
                        guard let chunk = message.chunk else { continue }
                        try await outbound.write(ForwardAcknowledgement.encode(chunk))
                    }
                }
            }
        } catch is CancellationError {
            // The process stops; the sender repeats what was not acknowledged.
        } catch let error as ForwardError {
            metrics.badStreams.increment()
            logger.warning(
                "A log sender does not speak the forward protocol",
                metadata: ["peer": "\(connection.channel.remoteAddress?.description ?? "")", "error": "\(error)"])
        } catch is IOError {
            // The sender went away in the middle; it repeats what was not acknowledged.
        } catch {
            metrics.failures.increment()
            logger.error("Forwarded logs could not be stored", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    private func take(_ message: ForwardMessage) async throws {
        let (batch, rejected) = ForwardIngest.batch(of: message)
        metrics.malformed.increment(by: rejected.malformed)
        metrics.withoutApp.increment(by: rejected.withoutApp)
        metrics.bytes.increment(by: message.packed.readableBytes)
        _ = try await store.ingest(batch)
    }
}

/// What the forward listener tells about itself.
private struct ForwardMetrics {
    let connections = Counter(label: "logger.forward.connections")
    let bytes = Counter(label: "logger.forward.bytes")
    let badStreams = Counter(label: "logger.forward.bad_streams")
    let failures = Counter(label: "logger.forward.failures")
    let malformed = Counter(label: "logger.ingest.rejected", dimensions: [("reason", "malformed")])
    let withoutApp = Counter(label: "logger.ingest.rejected", dimensions: [("reason", "no_app")])
}

import CommandRunner
import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import ServiceHTTP
import ServiceLifecycle

/// Serves the hooks of running pushes over a unix socket in the builder's own folder.
struct HookListener: Service {
    let path: String
    let desk: PushDesk
    let logger: Logger

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    func run() async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Connection(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(inboundType: ByteBuffer.self, outboundType: ByteBuffer.self))
                }
            }
        try await withGracefulShutdownHandler {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections { group.addTask { await serve(connection) } }
                }
            }
        } onGracefulShutdown: {
            // The pushes still open are told by the desk; this only ends the listening.
            server.channel.close(promise: nil)
        }
    }

    private func serve(_ connection: Connection) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                var lines = inbound.makeAsyncIterator()
                guard let request = try await readRequest(&lines) else { return }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let verdicts = await desk.receive(request) { text in
                            try await outbound.write(Self.encoded(HookReply(text: text)))
                        }
                        try await outbound.write(Self.encoded(HookReply(verdicts: verdicts)))
                    }
                    // A hook says nothing more: it closes after the verdicts, or when its pusher is gone.
                    while try await lines.next() != nil {}
                    group.cancelAll()
                }
            }
        } catch is CancellationError {
            return
        } catch {
            logger.debug("Hook connection ended", metadata: ["error": "\(error)"])
        }
    }

    private func readRequest(
        _ inbound: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    ) async throws -> HookRequest? {
        var splitter = LineSplitter(limit: 4 << 20)
        while let buffer = try await inbound.next() {
            guard let line = splitter.add(buffer.readableBytesView).first else { continue }
            return try JSONDecoder().decode(HookRequest.self, from: Data(line.utf8))
        }
        return nil
    }

    private static func encoded(_ reply: HookReply) throws -> ByteBuffer {
        var buffer = ByteBuffer(bytes: try JSONEncoder().encode(reply))
        buffer.writeInteger(UInt8(ascii: "\n"))
        return buffer
    }
}

import ForwardProtocol
import Logging
import NIOCore
import NIOPosix
import ServiceHTTP
import ServiceLifecycle
import Testing

@testable import LoggerService

@Suite(.timeLimit(.minutes(1)))
struct ForwardListenerTests {
    @Test func batchIsAcknowledgedOnceItIsStored() async throws {
        try await Self.run { store, port in
            try await Self.connect(port) { sender in
                try await sender.send(Self.message(["a", "b"], chunk: "c1"))
                #expect(try await sender.acknowledgement() == "c1")
                #expect(await Self.texts(store) == ["a", "b"])
                try await sender.send(Self.message(["a", "b"], chunk: "c1"))
                #expect(try await sender.acknowledgement() == "c1")
                #expect(await Self.texts(store) == ["a", "b"])
            }
        }
    }

    @Test func manyConnectionsAreServedAtOnce() async throws {
        try await Self.run { store, port in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try await Self.connect(port) { sender in
                            for round in 0..<10 {
                                try await sender.send(Self.message(["\(number) \(round)"], chunk: "\(number)-\(round)"))
                                _ = try await sender.acknowledgement()
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let texts = await Self.texts(store)
            #expect(texts.count == 200 && Set(texts).count == 200)
        }
    }

    @Test func garbageClosesItsConnectionOnly() async throws {
        try await Self.run { store, port in
            try await Self.connect(port) { other in
                try await Self.connect(port) { sender in
                    try await sender.send(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
                    #expect(try await sender.acknowledgement() == nil)
                }
                try await other.send(Self.message(["fine"], chunk: "x"))
                #expect(try await other.acknowledgement() == "x")
            }
            #expect(await Self.texts(store) == ["fine"])
        }
    }

    @Test func connectionCutInTheMiddleOfABatchStoresNothing() async throws {
        try await Self.run { store, port in
            try await Self.connect(port) { sender in
                var message = Self.message(["half"], chunk: "h")
                message.moveWriterIndex(to: message.writerIndex - 5)
                try await sender.send(message)
            }
            try await Self.connect(port) { sender in
                try await sender.send(Self.message(["whole"], chunk: "w"))
                _ = try await sender.acknowledgement()
            }
            #expect(await Self.texts(store) == ["whole"])
        }
    }

    // MARK: - Peers

    /// The least of a shipper.
    private struct Sender {
        var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        var decoder = ForwardAcknowledgementDecoder()

        func send(_ bytes: ByteBuffer) async throws {
            try await outbound.write(bytes)
        }

        /// The next acknowledged chunk; nil when the connection ends.
        mutating func acknowledgement() async throws -> String? {
            while true {
                if let chunk = try decoder.next() { return chunk }
                guard let bytes = try await iterator.next() else { return nil }
                decoder.append(bytes)
            }
        }
    }

    private static func connect(_ port: Int, _ body: (inout Sender) async throws -> Void) async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            var sender = Sender(iterator: inbound.makeAsyncIterator(), outbound: outbound)
            try await body(&sender)
        }
    }

    private static func run(_ body: @escaping @Sendable (LogStore, Int) async throws -> Void) async throws {
        let logger = Logger(label: "forward.tests") { _ in SwiftLogNoOpLogHandler() }
        let store = LogStore()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let listener = ForwardListener(address: ListenAddress(host: "127.0.0.1", port: 0), store: store, logger: logger)
        {
            port.yield($0)
        }
        let group = ServiceGroup(services: [listener], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let number = try #require(await iterator.next())
            try await body(store, number)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private static func message(_ texts: [String], chunk: String) -> ByteBuffer {
        var builder = PackedForwardBuilder()
        for text in texts {
            builder.append(
                .init(seconds: 1, nanoseconds: 0),
                ContainerLogRecord(log: text, stream: "stdout", time: "", namespace: "shop", pod: "", container: ""))
        }
        return builder.message(tag: "app.shop", chunk: chunk)
    }

    private static func texts(_ store: LogStore) async -> [String] {
        await store.lines(of: Sample.app("shop"), LogQuery(lines: .max))?.map(\.line.text) ?? []
    }
}

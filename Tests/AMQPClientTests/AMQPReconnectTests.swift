import AMQPClient
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct AMQPReconnectTests {
    @Test func nothingConfirmedIsLostWhileConnectionsAreCut() async throws {
        try await withBroker { broker in
            let proxy = try TCPProxy(to: try broker.port)
            let connection = try broker.connect(port: proxy.port)
            try await connection.declare([.quorumQueue(broker.queue)])
            let confirmed = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        var confirmed = 0
                        for _ in 0..<100 {
                            do throws(AMQPError) {
                                try await connection.publish(routingKey: broker.queue, body: [1])
                                confirmed += 1
                            } catch {
                                #expect(error.isRetryable)
                            }
                        }
                        return confirmed
                    }
                }
                for _ in 0..<4 {
                    try await eventually { proxy.connectionCount > 0 }
                    proxy.cut()
                }
                return try await group.reduce(0, +)
            }
            #expect(confirmed > 800)
            try await eventually { try await connection.queueStatus(broker.queue).messages >= confirmed }
        }
    }

    @Test func consumersResubscribeAndOldDeliveriesCannotBeAcknowledged() async throws {
        try await withBroker { broker in
            let proxy = try TCPProxy(to: try broker.port)
            let publisher = try broker.connect()
            let connection = try broker.connect(port: proxy.port)
            try await connection.declare([.quorumQueue(broker.queue)])
            var iterator = connection.consume(queue: broker.queue, prefetch: 1).makeAsyncIterator()
            try await publisher.publish(routingKey: broker.queue, body: [1])
            try await publisher.publish(routingKey: broker.queue, body: [2])
            let stale = try #require(await iterator.next())
            proxy.cut()
            let again = try #require(await iterator.next())
            #expect(again.message.body == [1] && again.message.isRedelivered)
            // On the new channel the same tag belongs to the new delivery; this must not settle that.
            stale.ack()
            again.nack()
            var rest: Set<[UInt8]> = []
            for _ in 0..<2 {
                let delivery = try #require(await iterator.next())
                rest.insert(delivery.message.body)
                delivery.ack()
            }
            #expect(rest == [[1], [2]])
        }
    }

    @Test func aSilentBrokerIsNoticedByHeartbeats() async throws {
        try await withBroker { broker in
            let proxy = try TCPProxy(to: try broker.port)
            let connection = try broker.connect(port: proxy.port, limit: .seconds(30), heartbeat: 1)
            try await connection.declare([.queue(broker.queue)])
            proxy.setSilent(true)
            let failure = try await code { try await connection.publish(routingKey: broker.queue, body: [1]) }
            #expect(failure == .connectionLost)
            proxy.setSilent(false)
            proxy.cut()
            try await eventually(within: .seconds(20)) {
                try await code { try await connection.publish(routingKey: broker.queue, body: [1]) } == nil
            }
        }
    }

    @Test func aPublishWithoutConfirmEndsInTime() async throws {
        try await withBroker { broker in
            let proxy = try TCPProxy(to: try broker.port)
            let connection = try broker.connect(port: proxy.port, limit: .seconds(1), heartbeat: 30)
            try await connection.declare([.queue(broker.queue)])
            proxy.setSilent(true)
            let failure = try await code { try await connection.publish(routingKey: broker.queue, body: [1]) }
            #expect(failure == .timeout)
        }
    }

    @Test func topologyIsDeclaredAgainAfterAReconnect() async throws {
        try await withBroker { broker in
            let proxy = try TCPProxy(to: try broker.port)
            let connection = try broker.connect(port: proxy.port)
            try await connection.declare([.queue(broker.queue)])
            try await broker.connect().delete(queue: broker.queue)
            proxy.cut()
            try await eventually { try await connection.queueStatus(broker.queue).messages == 0 }
        }
    }
}

import AMQPClient
import FoundationEssentials
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct AMQPConnectionTests {
    @Test func messagesArriveWithTheirProperties() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            let sent = AMQPProperties(
                contentType: "application/json", messageID: "m1", correlationID: "c1",
                timestamp: Date(timeIntervalSince1970: 1_778_429_289), expiration: 60_000,
                headers: [
                    "text": "ünï", "number": 42, "flag": true, "deep": .table(["list": .array([1, "two", .void])]),
                    "raw": .bytes([0, 255]), "half": .double(0.5),
                ])
            let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
            try await connection.publish(routingKey: broker.queue, body: body, properties: sent, isMandatory: false)
            let delivery = try #require(try await connection.get(broker.queue))
            #expect(delivery.message.body == body)
            #expect(delivery.message.properties == sent)
            #expect(delivery.message.routingKey == broker.queue)
            #expect(!delivery.message.isRedelivered)
            delivery.ack()
            #expect(try await connection.queueStatus(broker.queue).messages == 0)
        }
    }

    @Test func manyPublishersShareTheConnection() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            let started = ContinuousClock.now
            try await withThrowingTaskGroup { group in
                for number in 0..<64 {
                    group.addTask {
                        for _ in 0..<50 {
                            try await connection.publish(routingKey: broker.queue, body: [UInt8(number)])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let pipelined = ContinuousClock.now - started
            #expect(try await connection.queueStatus(broker.queue).messages == 3200)
            #expect(pipelined < .seconds(30))
        }
    }

    @Test func aMandatoryMessageWithoutAQueueIsAnError() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            let failure = try await code { try await connection.publish(routingKey: "nowhere", body: [1]) }
            #expect(failure == .unroutable)
            try await connection.publish(routingKey: "nowhere", body: [1], isMandatory: false)
            try await connection.declare([.queue(broker.queue)])
            try await withThrowingTaskGroup(of: AMQPError.Code?.self) { group in
                for number in 0..<100 {
                    let key = number % 2 == 0 ? broker.queue : "nowhere"
                    group.addTask { try await code { try await connection.publish(routingKey: key, body: [1]) } }
                }
                let codes = try await group.reduce(into: [AMQPError.Code?]()) { $0.append($1) }
                #expect(codes.filter { $0 == nil }.count == 50)
                #expect(codes.filter { $0 == .unroutable }.count == 50)
            }
        }
    }

    @Test func anUnknownExchangeFailsOnlyItsPublish() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            let failure = try await code {
                try await connection.publish(exchange: "no.such", routingKey: "a", body: [1])
            }
            #expect(failure == .channelClosed)
            try await connection.publish(routingKey: broker.queue, body: [1])
        }
    }

    @Test func operationsReportWhatTheBrokerSays() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            #expect(try await code { _ = try await connection.queueStatus(broker.queue) } == .notFound)
            try await connection.declare([.quorumQueue(broker.queue)])
            #expect(try await code { try await connection.declare([.queue(broker.queue)]) } == .preconditionFailed)
            try await connection.publish(routingKey: broker.queue, body: [1])
            #expect(try await connection.purge(broker.queue) == 1)
            #expect(try await connection.get(broker.queue) == nil)
        }
    }

    @Test func exchangesRouteByBinding() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            let exchange = broker.queue + ".exchange"
            try await connection.declare([
                .exchange(exchange, kind: "direct"), .queue(broker.queue),
                .binding(queue: broker.queue, exchange: exchange, routingKey: "a"),
            ])
            try await connection.publish(exchange: exchange, routingKey: "a", body: [7])
            #expect(try await connection.get(broker.queue)?.message.body == [7])
        }
    }

    @Test func aWrongPasswordOrHostIsWaitedForButReported() async throws {
        try await withBroker { broker in
            let proxy = try TCPProxy(to: try broker.port, isOpen: false)
            let connection = try broker.connect(port: proxy.port, limit: .milliseconds(500))
            #expect(try await code { try await connection.publish(routingKey: "a", body: [1]) } == .unavailable)
            #expect(try await code { _ = try await connection.queueStatus("a") } == .unavailable)
            try proxy.accept()
            try await eventually {
                try await connection.declare([.queue(broker.queue)])
                return true
            }
        }
    }

    @Test func aClosedConnectionRefuses() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            connection.close()
            #expect(try await code { try await connection.publish(routingKey: broker.queue, body: [1]) } == .closed)
        }
    }

    /// Whoever looks next finds everything, in the order in which it was published.
    @Test func aSessionGivesBackWhatItDoesNotSettle() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.quorumQueue(broker.queue)])
            let published = [UInt8](0..<20)
            for number in published { try await connection.publish(routingKey: broker.queue, body: [number]) }
            #expect(try await look(at: broker.queue, on: connection, taking: 1) == published)
            let left = published.filter { $0 != 1 }
            for _ in 0..<10 { #expect(try await look(at: broker.queue, on: connection) == left) }
            try await eventually { try await connection.queueStatus(broker.queue).messages == left.count }
        }
    }

    /// The messages of a queue, all in one session, of which at most one is settled.
    private func look(
        at queue: String, on connection: AMQPConnection, taking taken: UInt8? = nil
    ) async throws -> [UInt8] {
        try await connection.withSession { session in
            var seen: [UInt8] = []
            while let delivery = try await session.get(queue) {
                seen += delivery.message.body
                if delivery.message.body == taken.map({ [$0] }) { delivery.ack() }
            }
            return seen
        }
    }
}

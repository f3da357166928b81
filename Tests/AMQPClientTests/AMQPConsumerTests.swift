import AMQPClient
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct AMQPConsumerTests {
    @Test func deliveriesAreBoundedByPrefetch() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            for number in 0..<10 { try await connection.publish(routingKey: broker.queue, body: [UInt8(number)]) }
            let consumer = connection.consume(queue: broker.queue, prefetch: 3)
            var iterator = consumer.makeAsyncIterator()
            let first = try #require(await iterator.next())
            try await eventually { try await connection.queueStatus(broker.queue).messages == 7 }
            first.ack()
            try await eventually { try await connection.queueStatus(broker.queue).messages == 6 }
            consumer.close()
            try await eventually { try await connection.queueStatus(broker.queue).messages == 9 }
        }
    }

    @Test func unsettledDeliveriesComeBackWhenTheConsumerGoesAway() async throws {
        try await withBroker { broker in
            let publisher = try broker.connect()
            try await publisher.declare([.quorumQueue(broker.queue)])
            try await publisher.publish(routingKey: broker.queue, body: [1])
            let victim = try broker.connect()
            var taken = victim.consume(queue: broker.queue, prefetch: 1).makeAsyncIterator()
            #expect(await taken.next()?.message.isRedelivered == false)
            victim.close()
            var next = publisher.consume(queue: broker.queue, prefetch: 1).makeAsyncIterator()
            #expect(await next.next()?.message.isRedelivered == true)
        }
    }

    @Test func settlementsDoWhatTheySay() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            let dead = broker.queue + ".dead"
            try await connection.declare([
                .queue(dead),
                .queue(
                    broker.queue,
                    arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead)]),
            ])
            try await connection.publish(routingKey: broker.queue, body: [1])
            var iterator = connection.consume(queue: broker.queue, prefetch: 5).makeAsyncIterator()
            try #require(await iterator.next()).nack()
            let again = try #require(await iterator.next())
            #expect(again.message.isRedelivered)
            again.reject()
            try await eventually { try await connection.queueStatus(dead).messages == 1 }
            #expect(try await connection.queueStatus(broker.queue).messages == 0)
            try await connection.delete(queue: dead)
        }
    }

    @Test func aQueueThatComesLaterIsConsumed() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            var iterator = connection.consume(queue: broker.queue, prefetch: 1).makeAsyncIterator()
            try await connection.declare([.queue(broker.queue)])
            try await connection.publish(routingKey: broker.queue, body: [9])
            #expect(await iterator.next()?.message.body == [9])
        }
    }

    @Test func aDeletedQueueIsConsumedAgainOnceItIsBack() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            var iterator = connection.consume(queue: broker.queue, prefetch: 1).makeAsyncIterator()
            try await connection.publish(routingKey: broker.queue, body: [1])
            try #require(await iterator.next()).ack()
            try await connection.delete(queue: broker.queue)
            try await connection.declare([.queue(broker.queue)])
            try await connection.publish(routingKey: broker.queue, body: [2])
            #expect(await iterator.next()?.message.body == [2])
        }
    }

    @Test func aCancelledConsumerSettlesWhatItHas() async throws {
        try await withBroker { broker in
            let connection = try broker.connect()
            try await connection.declare([.queue(broker.queue)])
            for number in 0..<2 { try await connection.publish(routingKey: broker.queue, body: [UInt8(number)]) }
            let consumer = connection.consume(queue: broker.queue, prefetch: 1)
            var iterator = consumer.makeAsyncIterator()
            let delivery = try #require(await iterator.next())
            consumer.cancel()
            #expect(await iterator.next() == nil)
            delivery.ack()
            try await eventually { try await connection.queueStatus(broker.queue).consumers == 0 }
            consumer.close()
            #expect(try await connection.queueStatus(broker.queue).messages == 1)
        }
    }
}

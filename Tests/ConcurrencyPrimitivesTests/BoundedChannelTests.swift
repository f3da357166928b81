import ConcurrencyPrimitives
import Testing
import TestSupport

struct BoundedChannelTests {
    @Test func elementsArriveInOrderThroughASmallChannel() async throws {
        let channel = BoundedChannel<Int>(limit: 2)
        async let sent: Void = {
            for number in 0..<1000 { await channel.send(number) }
            channel.finish()
        }()
        var received: [Int] = []
        for try await number in channel { received.append(number) }
        await sent
        #expect(received == Array(0..<1000))
    }

    @Test func aFullChannelRefusesWithoutWaiting() {
        let channel = BoundedChannel<Int>(limit: 1)
        #expect(channel.trySend(1))
        #expect(!channel.trySend(2))
    }

    @Test func aWaitingProducerIsFreedByCancellation() async {
        let channel = BoundedChannel<Int>(limit: 1)
        _ = channel.trySend(1)
        let producer = Task { await channel.send(2) }
        producer.cancel()
        #expect(await producer.value == false)
    }

    @Test func aFailureComesAfterTheElements() async throws {
        struct Failure: Error {}
        let channel = BoundedChannel<Int>(limit: 4)
        _ = channel.trySend(1)
        channel.finish(throwing: Failure())
        var iterator = channel.makeAsyncIterator()
        let first = try await iterator.next()
        #expect(first == 1)
        await #expect(throws: Failure.self) {
            var rest = channel.makeAsyncIterator()
            _ = try await rest.next()
        }
        #expect(channel.trySend(2) == false)
    }

    @Test func threadsRunJobsAndRefuseWhenFull() async throws {
        let threads = BlockingThreads(label: "test", count: 2, queueLimit: 100)
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<50 { group.addTask { try await threads.run { number } } }
            return try await group.reduce(0, +)
        }
        #expect(sum == 1225)
        let full = BlockingThreads(label: "full", count: 1, queueLimit: 0)
        await #expect(throws: BlockingThreads.Busy.self) { try await full.run { 1 } }
    }
}

import ConcurrencyPrimitives
import TestSupport
import Testing

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

    /// A cancellation that fell between looking for it and waiting was once lost, and the waiter never came back.
    @Test(.timeLimit(.minutes(2))) func noCancellationIsLostWhileWaitingBegins() async throws {
        for _ in 0..<20_000 {
            let empty = BoundedChannel<Int>(limit: 1)
            let full = BoundedChannel<Int>(limit: 1)
            _ = full.trySend(1)
            let consumer = Task {
                var iterator = empty.makeAsyncIterator()
                return try await iterator.next()
            }
            let producer = Task { await full.send(2) }
            await Task.yield()
            consumer.cancel()
            producer.cancel()
            let taken = try await consumer.value
            #expect(taken == nil)
            #expect(await producer.value == false)
        }
    }

    /// Everything a producer was told is sent arrives, however many producers are cancelled meanwhile.
    @Test(.timeLimit(.minutes(2))) func whatWasAcceptedArrivesAmongCancellations() async throws {
        let channel = BoundedChannel<Int>(limit: 3)
        let reading = Task {
            var received: Set<Int> = []
            for try await number in channel { received.insert(number) }
            return received
        }
        let accepted = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<5_000 {
                group.addTask {
                    let producer = Task { await channel.send(number) }
                    if number.isMultiple(of: 3) { producer.cancel() }
                    return await producer.value ? number : nil
                }
            }
            return await group.reduce(into: Set<Int>()) { result, number in if let number { result.insert(number) } }
        }
        channel.finish()
        #expect(try await reading.value == accepted)
        #expect(accepted.count >= 3_333)
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

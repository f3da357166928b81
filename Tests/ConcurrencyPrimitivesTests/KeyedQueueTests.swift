import ConcurrencyPrimitives
import Synchronization
import TestSupport
import Testing

struct KeyedQueueTests {
    @Test func operationsOfOneKeyNeverOverlap() async throws {
        let queue = KeyedQueue<String>()
        let overlap = Overlap()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await queue.withKey("a") {
                        overlap.enter()
                        await Task.yield()
                        overlap.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(overlap.most == 1)
    }

    @Test func aCancelledWaiterLeavesWithoutRunning() async throws {
        let queue = KeyedQueue<String>()
        let channel = BoundedChannel<Int>(limit: 1)
        let gate = BoundedChannel<Void>(limit: 1)
        let holder = Task {
            try await queue.withKey("a") {
                await channel.send(1)
                for try await _ in gate { break }
            }
        }
        var started = channel.makeAsyncIterator()
        _ = try await started.next()
        let waiter = Task { try await queue.withKey("a") { Issue.record("the cancelled waiter ran") } }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        await gate.send(())
        try await holder.value
        let next = try await queue.withKey("a") { 3 }
        #expect(next == 3)
    }

    @Test func aFailureFreesTheKey() async throws {
        struct Failure: Error {}
        let queue = KeyedQueue<Int>()
        await #expect(throws: Failure.self) { try await queue.withKey(1) { throw Failure() } }
        let isFree = try await queue.withKey(1) { true }
        #expect(isFree)
    }
}

/// Counts how many are inside at once.
private final class Overlap: Sendable {
    private let state = Mutex((inside: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func enter() {
        state.withLock { state in
            state.inside += 1
            state.most = max(state.most, state.inside)
        }
    }

    func leave() { state.withLock { $0.inside -= 1 } }
}

import AMQPClient
import ConcurrencyPrimitives
import FoundationEssentials
import PlatformModel
import Synchronization
import TestSupport
import Testing

@testable import TaskQueue

/// What comes of tasks that come again: for lost connections, dead consumers and missing queues.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct RedeliveryTests {
    private let fixture: TaskQueueFixture

    init() throws { fixture = try TaskQueueFixture() }

    @Test func aTaskInWorkIsNotBegunAgainWhenItsConnectionIsLost() async throws {
        let proxy = try TCPProxy(to: try fixture.port)
        let connection = try fixture.connect(port: proxy.port)
        let begun = Mutex(0)
        let gate = BoundedChannel<Void>(limit: 1)
        let handler = TaskHandler("app.deploy") { _ in
            begun.withLock { $0 += 1 }
            for try await _ in gate { break }
        }
        let hasFollowed = Mutex(false)
        let follower = TaskHandler("app.follow") { _ in hasFollowed.withLock { $0 = true } }
        try await fixture.consuming([handler, follower], connection: connection) {
            try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: .null))
            try await eventually { begun.withLock { $0 } == 1 }
            proxy.refuse()
            try await eventually { try await fixture.connection.queueStatus(fixture.queue).messages == 1 }
            try proxy.accept()
            // The broker hands the task out again first; what comes after it shows that it has arrived.
            try await fixture.publish(TaskEnvelope(name: "app.follow", payload: .null))
            try await eventually { hasFollowed.withLock { $0 } }
            await gate.send(())
            try await fixture.expectEmpty()
        }
        #expect(begun.withLock { $0 } == 1)
        try await fixture.remove()
    }

    @Test func aSecondCopyOfATaskInWorkIsSettledWithIt() async throws {
        let begun = Mutex(0)
        let gate = BoundedChannel<Void>(limit: 1)
        let handler = TaskHandler("app.deploy") { _ in
            begun.withLock { $0 += 1 }
            for try await _ in gate { break }
        }
        let hasFollowed = Mutex(false)
        let follower = TaskHandler("app.follow") { _ in hasFollowed.withLock { $0 = true } }
        let task = TaskEnvelope(name: "app.deploy", payload: .null)
        try await fixture.consuming([handler, follower]) {
            try await fixture.publish(task)
            try await eventually { begun.withLock { $0 } == 1 }
            try await fixture.publish(task)
            // Handed out after the copy, so its work shows that the copy has arrived.
            try await fixture.publish(TaskEnvelope(name: "app.follow", payload: .null))
            try await eventually { hasFollowed.withLock { $0 } }
            await gate.send(())
            try await fixture.expectEmpty()
        }
        #expect(begun.withLock { $0 } == 1)
        try await fixture.remove()
    }

    /// The broker itself gives up on a task that kills whoever takes it, and the letter tells so.
    @Test func aTaskWhoseConsumersAllDieIsBuriedByTheBroker() async throws {
        let topology = TaskTopology(
            queues: [fixture.queue], delays: fixture.topology.delays, deliveryLimit: 3, settling: .zero)
        try await topology.declare(on: fixture.connection)
        let task = TaskEnvelope(name: "app.deploy", payload: ["app": "a"])
        try await fixture.publish(task)
        for _ in 0...3 {
            let victim = try fixture.connect()
            var taken = victim.consume(queue: fixture.queue, prefetch: 1).makeAsyncIterator()
            _ = try #require(await taken.next())
            victim.close()
        }
        try await eventually { try await fixture.deadLetters().count == 1 }
        let letter = try #require(try await fixture.deadLetters().first)
        #expect(letter.id == task.id.uuidString.lowercased())
        #expect(letter.name == "app.deploy")
        #expect(letter.reason.contains("Handed out too often"))
        // Looking at letters hands them out; that must never count against them.
        for _ in 0..<25 { #expect(try await fixture.deadLetters().count == 1) }
        let letters = DeadLetters(connection: fixture.connection)
        #expect(try await letters.retry(letter.id, in: fixture.queue))
        #expect(try await fixture.connection.queueStatus(fixture.queue).messages == 1)
        try await fixture.remove()
    }

    @Test func aMissingRetryQueueIsMadeAgainWithoutHurry() async throws {
        let attempts = Mutex<[Int]>([])
        let handler = TaskHandler("app.deploy") { task in
            attempts.withLock { $0.append(task.attempt) }
            if task.attempt == 1 { throw TaskFailure.retry("not yet") }
        }
        try await fixture.consuming([handler]) {
            try await fixture.connection.delete(queue: TaskTopology.retryQueue(fixture.queue, 1))
            try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: .null))
            try await eventually { attempts.withLock { $0.last } == 2 }
        }
        #expect(attempts.withLock { $0 } == [1, 2])
        try await fixture.remove()
    }

    @Test func aDeletedWorkQueueIsMadeAgain() async throws {
        let done = Mutex(0)
        let handler = TaskHandler("app.deploy") { _ in done.withLock { $0 += 1 } }
        try await fixture.consuming([handler]) {
            try await eventually { try await fixture.connection.queueStatus(fixture.queue).consumers == 1 }
            try await fixture.connection.delete(queue: fixture.queue)
            try await eventually {
                try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: .null))
                return true
            }
            try await eventually { done.withLock { $0 } == 1 }
        }
        try await fixture.remove()
    }

    @Test func anInterruptedHandlerPausesLikeAFailedOne() async throws {
        let attempts = Mutex<[Int]>([])
        let handler = TaskHandler("app.deploy") { task in
            attempts.withLock { $0.append(task.attempt) }
            throw CancellationError()
        }
        try await fixture.consuming([handler]) {
            try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: .null))
            try await eventually { try await fixture.deadLetters().count == 1 }
        }
        #expect(attempts.withLock { $0 } == [1, 2, 3])
        try await fixture.remove()
    }

    /// A link that stays open and carries nothing: heartbeats end it, and the consumer is back by itself.
    @Test func aConsumerComesBackFromAHalfOpenConnection() async throws {
        let proxy = try TCPProxy(to: try fixture.port)
        let connection = try fixture.connect(port: proxy.port, heartbeat: 1)
        let done = Mutex<Set<UUID>>([])
        let handler = TaskHandler("app.deploy") { task in done.withLock { _ = $0.insert(task.id) } }
        let tasks = (0..<3).map { _ in TaskEnvelope(name: "app.deploy", payload: .null) }
        try await fixture.consuming([handler], connection: connection) {
            try await fixture.publish(tasks[0])
            try await eventually { done.withLock { $0.count } == 1 }
            proxy.setSilent(true)
            try await fixture.publish(tasks[1])
            // The broker misses our heartbeats as well and takes the consumer out.
            try await eventually { try await fixture.connection.queueStatus(fixture.queue).consumers == 0 }
            try await fixture.publish(tasks[2])
            proxy.setSilent(false)
            try await eventually { done.withLock { $0 } == Set(tasks.map(\.id)) }
        }
        try await fixture.remove()
    }

    /// Versions before had a work queue without a limit and dead letters without protection.
    @Test func queuesOfAnOlderVersionAreReplacedWithTheirMessages() async throws {
        let dead = TaskTopology.deadQueue(fixture.queue)
        try await fixture.connection.declare([
            .exchange(TaskTopology.exchange, kind: "direct"), .quorumQueue(fixture.queue), .quorumQueue(dead),
            .binding(queue: fixture.queue, exchange: TaskTopology.exchange, routingKey: fixture.queue),
        ])
        let tasks = (0..<40).map { _ in TaskEnvelope(name: "app.deploy", payload: .null) }
        for task in tasks { try await fixture.publish(task) }
        let letter = TaskEnvelope(name: "app.destroy", payload: .null)
        try await fixture.connection.publish(
            routingKey: dead, body: try letter.body(),
            properties: TaskPublisher.properties(
                of: letter, failure: TaskFailureRecord(queue: fixture.queue, reason: "old", firstFailed: "then")))
        let done = Mutex<Set<UUID>>([])
        let handler = TaskHandler("app.deploy") { task in done.withLock { _ = $0.insert(task.id) } }
        try await fixture.consuming([handler]) {
            // The broker refreshes a queue's count every five seconds, and the replacement waits for it, twice.
            try await eventually(within: .seconds(60)) { done.withLock { $0 } == Set(tasks.map(\.id)) }
            try await eventually { try await fixture.deadLetters().map(\.reason) == ["old"] }
        }
        for name in [fixture.queue, dead] { try await fixture.connection.delete(queue: name + ".moving") }
        try await fixture.remove()
    }
}

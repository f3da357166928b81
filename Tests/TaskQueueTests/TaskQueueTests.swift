import AMQPClient
import FoundationEssentials
import Logging
import PlatformModel
import ServiceLifecycle
import TestSupport
import Testing

@testable import TaskQueue

/// A work queue of its own on the real broker.
private struct Fixture: Sendable {
    let connection: AMQPConnection
    let queue = "test." + UUID().uuidString.lowercased()
    let topology: TaskTopology
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    init() throws {
        connection = try AMQPConnection(
            url: Secret(try TestEnvironment.requireAMQP()), name: "test",
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        topology = TaskTopology(queues: [queue], delays: [.milliseconds(50), .milliseconds(100)])
    }

    func publish(_ task: TaskEnvelope) async throws {
        try await TaskPublisher(connection: connection).publish(task, to: queue)
    }

    /// Runs a consumer on a connection of its own while `body` runs.
    func consuming(_ handlers: [TaskHandler], _ body: () async throws -> Void) async throws {
        try await topology.declare(on: connection)
        let consumer = TaskConsumer(
            connection: connection, queue: queue, topology: topology, handlers: handlers, concurrency: 2, logger: logger)
        let running = Task { try await consumer.run() }
        defer { running.cancel() }
        try await body()
    }

    func deadLetters() async throws -> [DeadLetter] {
        try await DeadLetters(connection: connection).list(queue)
    }

    func remove() async throws {
        for name in [queue, TaskTopology.deadQueue(queue)] + (1...2).map({ TaskTopology.retryQueue(queue, $0) }) {
            try await connection.delete(queue: name)
        }
    }
}

private actor Attempts {
    private(set) var seen: [Int] = []

    func add(_ attempt: Int) -> Int {
        seen.append(attempt)
        return seen.count
    }
}

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(1)))
struct TaskQueueTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test func aDoneTaskIsForgotten() async throws {
        let attempts = Attempts()
        let handler = TaskHandler("app.deploy") { _ = await attempts.add($0.attempt) }
        try await fixture.consuming([handler]) {
            try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: ["app": "a"]))
            try await eventually { await attempts.seen == [1] }
        }
        try await eventually { try await fixture.connection.queueStatus(fixture.queue).messages == 0 }
        try await fixture.remove()
    }

    @Test func aFailedTaskComesAgainLaterAndDiesAfterItsLastAttempt() async throws {
        let attempts = Attempts()
        let task = TaskEnvelope(name: "app.deploy", payload: .null)
        let handler = TaskHandler("app.deploy") { task in
            _ = await attempts.add(task.attempt)
            throw TaskFailure.retry("the engine is away")
        }
        try await fixture.consuming([handler]) {
            try await fixture.publish(task)
            try await eventually { try await fixture.deadLetters().count == 1 }
        }
        #expect(await attempts.seen == [1, 2, 3])
        let letter = try #require(try await fixture.deadLetters().first)
        #expect(letter.id == task.id.uuidString.lowercased())
        #expect(letter.reason.contains("the engine is away"))
        #expect(letter.attempts == 3)
        try await fixture.remove()
    }

    @Test func whatCannotSucceedDiesAtOnce() async throws {
        let handler = TaskHandler("app.deploy") { _ in throw TaskFailure.permanent("no such app") }
        try await fixture.consuming([handler]) {
            try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: .null))
            try await fixture.publish(TaskEnvelope(name: "app.unknown", payload: .null))
            try await fixture.publish(TaskEnvelope(name: "app.deploy", version: 9, payload: .null))
            try await fixture.connection.publish(routingKey: fixture.queue, body: Array("{not json".utf8))
            try await eventually { try await fixture.deadLetters().count == 4 }
        }
        let reasons = try await fixture.deadLetters().map(\.reason)
        #expect(reasons.contains { $0.contains("no such app") })
        #expect(reasons.contains { $0.contains("app.unknown") })
        #expect(reasons.contains { $0.contains("version 9") })
        #expect(reasons.contains { $0.contains("not a task") })
        try await fixture.remove()
    }

    @Test func aDeadLetterIsBroughtBack() async throws {
        let attempts = Attempts()
        let task = TaskEnvelope(name: "app.deploy", payload: .null)
        let handler = TaskHandler("app.deploy") { task in
            if await attempts.add(task.attempt) == 1 { throw TaskFailure.permanent("not yet") }
        }
        try await fixture.consuming([handler]) {
            try await fixture.publish(task)
            try await eventually { try await fixture.deadLetters().count == 1 }
            let letters = DeadLetters(connection: fixture.connection)
            #expect(try await letters.retry(task.id.uuidString.lowercased(), in: fixture.queue))
            #expect(try await !letters.retry("unknown", in: fixture.queue))
            try await eventually { await attempts.seen == [1, 1] }
        }
        #expect(try await fixture.deadLetters().isEmpty)
        try await fixture.remove()
    }

    @Test func aTaskWhoseConsumerDiesIsDeliveredAgain() async throws {
        try await fixture.topology.declare(on: fixture.connection)
        let task = TaskEnvelope(name: "app.deploy", payload: .null)
        try await fixture.publish(task)
        let victim = try Fixture().connection
        var taken = victim.consume(queue: fixture.queue, prefetch: 1).makeAsyncIterator()
        _ = try #require(await taken.next())
        victim.close()
        let attempts = Attempts()
        try await fixture.consuming([TaskHandler("app.deploy") { _ = await attempts.add($0.attempt) }]) {
            try await eventually { await attempts.seen == [1] }
        }
        try await fixture.remove()
    }
}

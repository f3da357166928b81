import AMQPClient
import FoundationEssentials
import PlatformModel
import TestSupport
import Testing

@testable import TaskQueue

private actor Attempts {
    private(set) var seen: [Int] = []

    func add(_ attempt: Int) -> Int {
        seen.append(attempt)
        return seen.count
    }
}

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(1)))
struct TaskQueueTests {
    private let fixture: TaskQueueFixture

    init() throws { fixture = try TaskQueueFixture() }

    @Test func aDoneTaskIsForgotten() async throws {
        let attempts = Attempts()
        let handler = TaskHandler("app.deploy") { _ = await attempts.add($0.attempt) }
        try await fixture.consuming([handler]) {
            try await fixture.publish(TaskEnvelope(name: "app.deploy", payload: ["app": "a"]))
            try await eventually { await attempts.seen == [1] }
        }
        try await fixture.expectEmpty()
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
        let victim = try fixture.connect()
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

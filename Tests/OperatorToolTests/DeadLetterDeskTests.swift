import AMQPClient
import FoundationEssentials
import Logging
import PlatformModel
import TaskQueue
import TestSupport
import Testing

@testable import OperatorTool

/// The dead-letters commands on a real broker.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2))) struct DeadLetterDeskTests {
    @Test func lettersAreListedShownRetriedAndDropped() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let connection = try AMQPConnection(
            url: Secret(try TestEnvironment.requireAMQP()), name: "test", logger: logger)
        defer { connection.close() }
        let queue = "desk-\(UUID().uuidString.lowercased().prefix(8))"
        try await TaskTopology(queues: [queue]).declare(on: connection)
        let desk = DeadLetterDesk(letters: DeadLetters(connection: connection), queues: [queue])
        #expect(try await desk.list() == "There are no dead letters.")
        #expect(try await desk.retry(nil) == "There are no dead letters.")

        var tasks: [TaskEnvelope] = []
        for name in ["app.deploy", "app.destroy", "app.restart"] {
            let task = TaskEnvelope(name: name, payload: ["app": "a"])
            tasks.append(task)
            try await bury(task, of: queue, on: connection)
        }
        let ids = tasks.map { $0.id.uuidString.lowercased() }
        try await eventually("all are buried") {
            let list = try await desk.list()
            return ids.allSatisfy { list.contains($0) }
        }
        let list = try await desk.list()
        #expect(list.contains("app.deploy") && list.contains("the disk is full"))
        let shown = try await desk.show(ids[0])
        for word in [ids[0], "app.deploy", queue, "the disk is full", #""app""#] { #expect(shown.contains(word)) }

        #expect(try await desk.retry(ids[0]) == "\(ids[0]) is back in \(queue)")
        #expect(try await connection.queueStatus(queue).messages == 1)
        #expect(try await desk.drop(ids[1]) == "Dropped \(ids[1])")
        for gone in ids.prefix(2) {
            let error = await #expect(throws: OperatorError.self) { _ = try await desk.show(gone) }
            #expect(error?.next == "workflow dead-letters list")
        }
        #expect(try await desk.purge(queue) == "Dropped 1 from \(queue)")
        #expect(try await desk.list() == "There are no dead letters.")
    }

    private func bury(_ task: TaskEnvelope, of queue: String, on connection: AMQPConnection) async throws {
        var properties = AMQPProperties()
        properties.messageID = task.id.uuidString.lowercased()
        properties.headers = [
            "x-task": .string(task.name), "x-queue": .string(queue), "x-reason": .string("the disk is full"),
            "x-attempt": .integer(6), "x-first-failed": .string("2026-01-02T03:04:05Z"),
        ]
        try await connection.publish(
            routingKey: TaskTopology.deadQueue(queue), body: try task.body(), properties: properties)
    }
}

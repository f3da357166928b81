import AMQPClient
import BrokerTestSupport
import FoundationEssentials
import Logging
import PlatformModel
import Synchronization
import TestSupport
import Testing

@testable import TaskQueue

/// What a handler of the tests saw.
private final class WorkLog: Sendable {
    private struct State {
        var begun: [UUID: Int] = [:]
        var running: Set<UUID> = []
        var done: Set<UUID> = []
        var overlaps = 0
    }

    private let state = Mutex(State())

    var done: Set<UUID> { state.withLock { $0.done } }
    var overlaps: Int { state.withLock { $0.overlaps } }
    func begun(_ id: UUID) -> Int { state.withLock { $0.begun[id] ?? 0 } }

    func begin(_ id: UUID) {
        state.withLock { state in
            state.begun[id, default: 0] += 1
            if !state.running.insert(id).inserted { state.overlaps += 1 }
        }
    }

    func end(_ id: UUID, isDone: Bool) {
        state.withLock { state in
            state.running.remove(id)
            if isDone { state.done.insert(id) }
        }
    }
}

/// A real broker, killed and started again in the middle of the work.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(6)), .serialized)
struct BrokerCrashTests {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    private let topology = TaskTopology(queues: ["work"], delays: [.milliseconds(50), .milliseconds(100)])

    private func consumer(_ broker: OwnBroker, _ log: WorkLog) throws -> TaskConsumer {
        let handler = TaskHandler("app.deploy") { task in
            log.begin(task.id)
            let fails = task.attempt == 1 && task.payload["fails"] == true
            log.end(task.id, isDone: !fails)
            if fails { throw TaskFailure.retry("the first attempt fails") }
        }
        let connection = try AMQPConnection(url: broker.url, name: "consumer", logger: logger)
        return TaskConsumer(
            connection: connection, queue: "work", topology: topology, handlers: [handler], concurrency: 8,
            logger: logger)
    }

    /// Publishes until the broker has confirmed, as the outbox does.
    private func publish(_ tasks: [TaskEnvelope], on connection: AMQPConnection) async throws {
        for task in tasks {
            while true {
                do {
                    try await TaskPublisher(connection: connection).publish(task, to: "work")
                    break
                } catch let error as AMQPError where error.isRetryable || error.code == .unroutable {
                    try Task.checkCancellation()
                }
            }
        }
    }

    @Test func nothingIsLostWhenTheBrokerIsKilledAmidWork() async throws {
        try await withOwnBroker { broker in
            let log = WorkLog()
            let tasks = (0..<1_500).map {
                TaskEnvelope(name: "app.deploy", payload: ["fails": .bool($0.isMultiple(of: 10))])
            }
            // The consumer is there before the broker.
            let consumer = try consumer(broker, log)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await consumer.run() }
                try await broker.start()
                let publisher = try AMQPConnection(url: broker.url, name: "publisher", logger: logger)
                let publishing = Task {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for part in 0..<4 {
                            group.addTask {
                                try await publish(
                                    tasks.enumerated().filter { $0.offset % 4 == part }.map(\.element), on: publisher)
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                defer { publishing.cancel() }
                for share in [300, 900] {
                    try await eventually(within: .seconds(60), "\(share) tasks are done") { log.done.count >= share }
                    try await broker.kill()
                    try await broker.start()
                }
                try await publishing.value
                try await eventually(within: .seconds(60), "all tasks are done") { log.done.count == tasks.count }
                try await eventually("the queues are empty") {
                    let depth = try await QueueDepth.read("work", topology: topology, connection: publisher)
                    return depth.ready == 0 && depth.delayed == 0 && depth.dead == 0
                }
                group.cancelAll()
            }
            #expect(log.done == Set(tasks.map(\.id)))
            #expect(log.overlaps == 0)
        }
    }
}

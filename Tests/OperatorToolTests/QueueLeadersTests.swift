import AMQPClient
import BrokerTestSupport
import CommandRunner
import Logging
import PlatformModel
import TaskQueue
import TestSupport
import Testing

@testable import OperatorTool

@Suite struct QueueLeadersReportTests {
    @Test func whatTheNodeSays() {
        var expected = QueueLeaders.Report("")
        #expect(QueueLeaders.Report("ok") == expected)
        #expect(expected.description == "every queue has a leader")
        expected.healed = ["controller.work"]
        expected.leaderless = ["builder.build", "with space"]
        #expect(
            QueueLeaders.Report("healed controller.work\nleaderless builder.build\nleaderless with space\nok")
                == expected)
        #expect(
            expected.description
                == "had no leader and got one: controller.work; without a leader: builder.build, with space")
    }
}

/// A real broker that was killed right after its queues were declared.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(6)))
struct QueueLeadersTests {
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// Takes the queues' names from the disk, where a kill within a second of their declaration finds none.
    private func forgetNames(_ broker: OwnBroker) async throws {
        let expression = """
            mnesia:dump_log(),
            [ra_directory:unregister_name(quorum_queues, ra_directory:uid_of(quorum_queues, element(1,
                amqqueue:get_pid(Q)))) || Q <- rabbit_amqqueue:list()],
            ok = dets:sync(ra_directory_reverse).
            """
        try await CommandRunner.check(
            Command(
                "/usr/lib/rabbitmq/bin/rabbitmqctl", ["--silent", "eval", expression],
                environment: broker.environment, deadline: .seconds(120)))
    }

    @Test func queuesThatLostTheirLeadersGetNewOnesAndTheirConsumersGoOn() async throws {
        try await withOwnBroker { broker in
            try await broker.start()
            let leaders = QueueLeaders(environment: broker.environment, identity: nil)
            let topology = TaskTopology(queues: ["work"], delays: [.milliseconds(50)], settling: .zero)
            let connection = try AMQPConnection(url: broker.url, name: "test", limit: .seconds(60), logger: logger)
            defer { connection.close() }
            try await topology.declare(on: connection)
            try await forgetNames(broker)
            try await broker.kill()
            try await broker.start()
            let lost = try await leaders.run(leaders.look)
            #expect(Set(lost.leaderless) == ["work", "work.retry.1", "work.dead"] && lost.healed.isEmpty)

            let (done, continuation) = AsyncStream<String>.makeStream()
            let consumer = TaskConsumer(
                connection: try AMQPConnection(url: broker.url, name: "consumer", logger: logger), queue: "work",
                topology: topology, handlers: [TaskHandler("app.deploy") { _ in continuation.yield("done") }],
                logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await consumer.run() }
                let healed = try await leaders.run(leaders.heal)
                #expect(Set(healed.healed) == Set(lost.leaderless) && healed.leaderless.isEmpty)
                #expect(try await leaders.run(leaders.look) == .init(""))
                try await eventually(within: .seconds(120), "a task is taken") {
                    try await TaskPublisher(connection: connection).publish(
                        TaskEnvelope(name: "app.deploy", payload: [:]), to: "work")
                    return true
                }
                var iterator = done.makeAsyncIterator()
                #expect(await iterator.next() == "done")
                group.cancelAll()
            }
        }
    }
}

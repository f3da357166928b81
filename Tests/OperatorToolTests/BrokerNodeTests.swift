import CommandRunner
import FoundationEssentials
import PlatformModel
import ServiceRuntime
import TestSupport
import Testing

@testable import OperatorTool

/// The settings of an installation's own broker.
@Suite struct BrokerNodeTests {
    private func node(_ root: String) throws -> (BrokerNode, StateDirectory) {
        let state = StateDirectory(root: root)
        try state.prepare()
        let node = try BrokerNode(state: state, ports: PortPlan(numbers: [.broker: 5672, .epmd: 4369]))
        try node.prepare(password: Secret("hidden"))
        return (node, state)
    }

    private func name(_ node: BrokerNode) throws -> String? { try node.plan().command.environment["RABBITMQ_NODENAME"] }

    @Test func everyInstallationHasANodeNameOfItsOwnAndKeepsIt() async throws {
        try await withTemporaryDirectory("broker") { first in
            try await withTemporaryDirectory("broker") { second in
                let (node, state) = try node(first)
                let name = try #require(try name(node))
                #expect(name.hasSuffix("@localhost"))
                #expect(try self.name(self.node(second).0) != name)
                #expect(try self.name(BrokerNode(state: state, ports: node.ports)) == name)
            }
        }
    }

    @Test func dataOfAnOlderVersionKeepTheirName() async throws {
        try await withTemporaryDirectory("broker") { root in
            let (node, state) = try node(root)
            try StateFile.makeDirectory("\(state.rabbitmq)/data/workflow@localhost", mode: 0o755)
            #expect(try name(node) == "workflow@localhost")
        }
    }

    /// The broker takes a task away from whoever works on it for longer than this; a build may take 40 minutes.
    @Test func theBrokerWaitsLongerThanTheLongestTask() async throws {
        try await withTemporaryDirectory("broker") { root in
            let (_, state) = try node(root)
            let text = try #require(try StateFile.readText("\(state.rabbitmq)/rabbitmq.conf"))
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("consumer_timeout = ") })
            let limit = try #require(Int(line.dropFirst("consumer_timeout = ".count)))
            #expect(limit > 40 * 60 * 1000)
        }
    }
}

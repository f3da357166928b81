import CurlTransfer
import RouterService
import TestSupport
import Testing

/// The router and a controller that is a small server in this process.
@Suite(.timeLimit(.minutes(2))) struct RouteFollowerTests {
    @Test func aNewTableIsAppliedAndThenAcknowledged() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            let controller = FakeController()
            controller.publish(
                RoutingTable(version: 3, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[0]])]))
            try await EdgeFixture.with { edge in
                try await controller.follow(with: edge) {
                    try await controller.confirmation(of: 3)
                    #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
                    controller.publish(
                        RoutingTable(version: 4, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[1]])]))
                    try await controller.confirmation(of: 4)
                    #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("two"))
                }
            }
        }
    }

    @Test func changesAreAppliedToTheTableTheyAreFor() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            let controller = FakeController()
            let stays = EdgeFixture.entry("stays.edge.localhost", ports: [ports[0]])
            let goes = EdgeFixture.entry("goes.edge.localhost", ports: [ports[0]])
            controller.publish(RoutingTable(version: 3, hosts: [stays, goes]))
            try await EdgeFixture.with { edge in
                try await controller.follow(with: edge) {
                    try await controller.confirmation(of: 3)
                    controller.publish(
                        RoutingChanges(
                            version: 4, since: 3,
                            hosts: [EdgeFixture.entry("new.edge.localhost", ports: [ports[1]])],
                            removed: ["goes.edge.localhost"]))
                    try await controller.confirmation(of: 4)
                    #expect(controller.wholeTables == 1)
                    #expect(try await edge.send("stays.edge.localhost").text.hasPrefix("one"))
                    #expect(try await edge.send("new.edge.localhost").text.hasPrefix("two"))
                    #expect(try await edge.send("goes.edge.localhost").status == 404)
                }
            }
        }
    }

    @Test func changesOfAnotherTableMakeTheRouterTakeTheWholeOne() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            let controller = FakeController()
            controller.publish(
                RoutingTable(version: 3, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[0]])]))
            try await EdgeFixture.with { edge in
                try await controller.follow(with: edge) {
                    try await controller.confirmation(of: 3)
                    controller.publish(
                        RoutingTable(version: 9, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[1]])]),
                        announcedAs: RoutingChanges(version: 9, since: 8, hosts: []))
                    try await controller.confirmation(of: 9)
                    #expect(controller.wholeTables == 2)
                    #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("two"))
                }
            }
        }
    }

    /// The controller's database came from a backup: its version is behind the router's.
    @Test func aTableOfAnOlderVersionIsFollowed() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            let controller = FakeController()
            controller.publish(
                RoutingTable(version: 30, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[0]])]))
            try await EdgeFixture.with { edge in
                try await controller.follow(with: edge) {
                    try await controller.confirmation(of: 30)
                    controller.publish(
                        RoutingTable(version: 7, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[1]])]))
                    try await controller.confirmation(of: 7)
                    #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("two"))
                }
            }
        }
    }
}

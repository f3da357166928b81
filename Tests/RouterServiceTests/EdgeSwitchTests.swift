import CommandRunner
import CurlTransfer
import Glibc
import HTTPTypes
import RouterService
import TestSupport
import Testing

/// Changes while requests are under way, and what survives.
@Suite(.timeLimit(.minutes(2))) struct EdgeSwitchTests {
    /// Ten deploys, as the edge sees them: a new backend is there, the table names it, the old one drains and ends.
    @Test func switchingToNewBackendsWhileTheOldOnesDrainLosesNoRequest() async throws {
        let backends = Backends()
        try await EdgeFixture.with { edge in
            let first = try await backends.start("0")
            try await edge.serve("shop.edge.localhost", version: 1, ports: [first.port])
            let load = OpenLoad(rate: 100)
            let last = Latest<RunningBackend>()
            try await load.run { number in
                let method: HTTPRequest.Method = number % 4 == 0 ? .post : .get
                return try await edge.send("shop.edge.localhost", method: method).status
            } while: {
                var old = first
                for number in 1...10 {
                    let new = try await backends.start("\(number)")
                    try await edge.serve("shop.edge.localhost", version: number + 1, ports: [new.port])
                    // The drain time an app gets: it ends when what was sent to it before the switch is answered.
                    let reached = load.started
                    try await eventually("requests on backend \(number)") {
                        load.started > reached + 40 && load.oldestUnderWay >= reached
                    }
                    try await old.drain()
                    old = new
                }
                last.value = old
            }
            try await last.value?.drain()
            #expect((1...10).map { backends.count("\($0)") }.allSatisfy { $0 > 0 })
            let seen = "of \(load.started): \(load.failures.prefix(5)) \(edge.errorLog.suffix(2000))"
            #expect(load.failures.isEmpty, "\(seen)")
        }
    }

    /// A process that is too busy to accept is replaced meanwhile: what waited for it goes to its successor.
    @Test(arguments: [HTTPRequest.Method.get, .post])
    func aRequestNobodyAcceptedGoesToWhoServesByThen(_ method: HTTPRequest.Method) async throws {
        let backends = Backends()
        let full = try FullListener()
        try await backends.run(["new"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: [full.port])
                async let answer = edge.send("shop.edge.localhost", method: method)
                // The request must be waiting for the full one; nothing tells of a connection that is not accepted.
                try await Task.sleep(for: .milliseconds(500))
                try await edge.serve("shop.edge.localhost", version: 2, ports: ports)
                #expect(try await answer.text.hasPrefix("new"))
                #expect(backends.count("new") == 1)
            }
        }
    }

    @Test func aRequestNobodyAcceptsEndsWithAPage() async throws {
        let full = try FullListener()
        try await EdgeFixture.with(change: { $0.connectTimeout = 2 }) { edge in
            try await edge.serve("shop.edge.localhost", version: 1, ports: [full.port])
            let began = ContinuousClock.now
            let answer = try await edge.send("shop.edge.localhost")
            #expect(answer.status == 504 && answer.text.hasPrefix("App took too long"))
            // Two short tries and one of the whole time.
            #expect((4.5...8).contains((ContinuousClock.now - began) / .seconds(1)))
            async let late = edge.send("shop.edge.localhost")
            // It must be waiting by then; nothing tells of a connection that is not accepted.
            try await Task.sleep(for: .milliseconds(500))
            try await edge.table.apply(RoutingTable(version: 2, hosts: []))
            #expect(try await late.status == 504)
        }
    }

    @Test func anEndpointChangeReloadsNothingAndCutsNoConnection() async throws {
        let backends = Backends()
        try await backends.run(["old", "new"]) { ports in
            try await EdgeFixture.with { edge in
                let master = try await edge.master.ensureRunning()
                // A worker just begun still carries its master's name.
                try await eventually("a worker runs") { !EdgeFixture.workers(of: master).isEmpty }
                let workers = EdgeFixture.workers(of: master)
                try await edge.serve("shop.edge.localhost", version: 1, ports: [ports[0]])
                try await KeptConnection.with(port: edge.settings.httpPort, host: "shop.edge.localhost") { connection in
                    #expect(try await connection.get("/").hasPrefix("old"))
                    try await edge.serve("shop.edge.localhost", version: 2, ports: [ports[1]])
                    #expect(try await connection.get("/").hasPrefix("new"))
                }
                #expect(EdgeFixture.workers(of: master) == workers)
            }
        }
    }

    @Test func aRemovedBackendGetsNothingOnceTheTableIsApplied() async throws {
        let backends = Backends()
        try await backends.run(["old", "new"]) { ports in
            try await EdgeFixture.with { edge in
                for round in 1...20 {
                    try await edge.serve("shop.edge.localhost", version: round * 2, ports: [ports[0]])
                    #expect(try await edge.send("shop.edge.localhost").status == 200)
                    try await edge.serve("shop.edge.localhost", version: round * 2 + 1, ports: [ports[1]])
                    let before = backends.count("old")
                    for _ in 0..<5 { #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("new")) }
                    #expect(backends.count("old") == before)
                }
            }
        }
    }

    @Test func theTableSurvivesAKilledNginxWithoutTheController() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 4, ports: [9])
                try await edge.serve("shop.edge.localhost", version: 5, ports: ports)
                let first = try await edge.master.ensureRunning()
                first.send(signal: SIGKILL)
                _ = try await first.waitForExit(within: .seconds(5))
                let again = try EdgeFixture(settings: edge.settings)
                try await again.table.load()
                let second = try await again.master.ensureRunning()
                #expect(second != first)
                #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
                #expect(await again.table.currentVersion == 5)
            }
        }
    }

    @Test func anotherRouterAdoptsTheRunningNginx() async throws {
        try await EdgeFixture.with { edge in
            let first = try await edge.master.ensureRunning()
            let second = try await EdgeFixture(settings: edge.settings).master.ensureRunning()
            #expect(second == first)
        }
    }

    @Test func theWorkersOfAKilledMasterAreEndedWithIt() async throws {
        try await EdgeFixture.with { edge in
            let master = try #require(await edge.master.running())
            try await eventually("a worker runs") { !EdgeFixture.workers(of: master).isEmpty }
            let workers = EdgeFixture.workers(of: master)
            master.send(signal: SIGKILL)
            try await eventually("the master is gone") { !master.isAlive }
            let orphans = workers.filter(\.isAlive)
            #expect(orphans == workers)
            try await edge.master.stop(patience: .seconds(2))
            let left = workers.filter(\.isAlive)
            #expect(left.isEmpty)
        }
    }

    @Test func aConfigurationNginxRefusesLeavesTheRunningOneAlone() async throws {
        try await EdgeFixture.with { edge in
            var broken = edge.settings
            broken.accessLogPath = "/nonexistent/access.log"
            await #expect(throws: NginxMaster.Failure.self) {
                _ = try await EdgeFixture(settings: broken).master.ensureRunning()
            }
            let response = try await edge.send("nobody.edge.localhost", "/healthz")
            #expect(response.status == 200)
        }
    }

    @Test func recordsNginxCannotReadChangeNothing() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 5, ports: ports)
                let control = EdgeControl(client: edge.client, socket: edge.settings.paths.controlSocket)
                let record = "host shop.edge.localhost serving shopper optional - 127.0.0.1:9\n"
                let whole = "table 6 0a\n" + record
                for broken in [
                    "", "rubbish\n", whole, whole + "end 9\n", "table 6 0a\nhost a b\nend 3\n", record + "end 2\n",
                    "table 6\n" + record + "end 3\n", "change 6 0a\n" + record + "end 3\n",
                ] {
                    await #expect(throws: EdgeControl.Refused.self, "\(broken)") {
                        try await control.replaceTable(broken)
                    }
                }
                await #expect(throws: EdgeControl.OutOfStep.self) {
                    try await control.changeTable("change 6 0a 0b\n" + record + "end 3\n")
                }
                #expect(try await control.version() == 5)
                #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
            }
        }
    }

    /// nginx was started anew from an older file than the router has in mind.
    @Test func changesNeverMeetAnotherTableThanTheirs() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: [ports[0]])
                let control = EdgeControl(client: edge.client, socket: edge.settings.paths.controlSocket)
                try await control.replaceTable("table 1 0a\nend 2\n")
                #expect(try await edge.send("shop.edge.localhost").status == 404)
                try await edge.table.reassert()
                #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
                try await control.replaceTable("table 1 0a\nend 2\n")
                let other = EdgeFixture.entry("other.edge.localhost", ports: [ports[1]])
                try await edge.table.apply(.changes(RoutingChanges(version: 2, since: 1, hosts: [other])))
                #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
                #expect(try await edge.send("other.edge.localhost").text.hasPrefix("two"))
            }
        }
    }

    @Test func aRefusedTableLeavesTheLastGoodOneInForce() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 5, ports: ports)
                await #expect(throws: CheckedTable.Refused.self) {
                    try await edge.table.apply(RoutingTable(version: -1, hosts: []))
                }
                #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
                #expect(await edge.table.currentVersion == 5)
            }
        }
    }
}

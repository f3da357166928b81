import CommandRunner
import CurlTransfer
import Glibc
import HTTPTypes
import RouterService
import TestSupport
import Testing

/// The shipped executable and what survives the death of its parts.
///
/// One after another: each test puts the edge under a load of its own.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RouterProcessTests {
    private static let host = "shop.edge.localhost"

    /// Sends 100 requests a second while `body` runs.
    private func underLoad(
        _ site: RouterSite, _ body: @escaping @Sendable (OpenLoad) async throws -> Void
    ) async throws -> OpenLoad {
        let load = OpenLoad(rate: 100)
        try await load.run { number in
            try await site.edge.send(Self.host, method: number % 4 == 0 ? .post : .get).status
        } while: {
            try await load.advance(by: 50)
            try await body(load)
            try await load.advance(by: 100)
        }
        return load
    }

    @Test func aKilledRouterIsNotMissedAndTheNextOneTakesOver() async throws {
        let backends = Backends()
        try await backends.run(["old", "new"]) { ports in
            try await RouterSite.with { site in
                let first = try site.startRouter()
                try await site.serve(Self.host, version: 1, ports: [ports[0]])
                let nginx = try await site.nginx()
                let load = try await underLoad(site) { load in
                    first.kill()
                    site.controller.publish(
                        RoutingTable(version: 2, hosts: [EdgeFixture.entry(Self.host, ports: [ports[1]])]))
                    // The last good table goes on serving without a router.
                    try await load.advance(by: 100)
                    #expect(backends.count("new") == 0)
                    let second = try site.startRouter()
                    try await site.controller.confirmation(of: 2)
                    #expect(try await site.edge.send(Self.host).text.hasPrefix("new"))
                    try await load.advance(by: 100)
                    second.kill()
                }
                #expect(load.failures.count == 0, "of \(load.started): \(load.failures.prefix(5))")
                #expect(try await site.nginx() == nginx)
            }
        }
    }

    @Test func aRouterThatIsToldToStopTakesNginxAlongAndComesBackWithItsTable() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await RouterSite.with { site in
                let first = try site.startRouter()
                try await site.serve(Self.host, version: 1, ports: ports)
                let nginx = try await site.nginx()
                #expect(first.stop() == 0)
                #expect(!nginx.isAlive)
                #expect(EdgeFixture.workers(of: nginx).isEmpty)
                // Nothing of the controller: what serves is the stored table.
                site.controller.withhold()
                let second = try site.startRouter()
                try await eventually(within: .seconds(20), "the stored table serves") {
                    try await site.edge.send(Self.host).text.hasPrefix("one")
                }
                second.kill()
            }
        }
    }

    @Test func aKilledWorkerCostsItsOwnRequestsOnly() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await RouterSite.with { site in
                let router = try site.startRouter()
                try await site.serve(Self.host, version: 1, ports: ports)
                let nginx = try await site.nginx()
                try await eventually("both workers run") { EdgeFixture.workers(of: nginx).count == 2 }
                let load = try await underLoad(site) { load in
                    for _ in 1...3 {
                        let victim = try #require(EdgeFixture.workers(of: nginx).first)
                        victim.send(signal: SIGKILL)
                        try await eventually("another worker runs") {
                            let workers = EdgeFixture.workers(of: nginx)
                            return workers.count == 2 && !workers.contains(victim)
                        }
                        try await load.advance(by: 50)
                    }
                }
                // What a worker had taken dies with it: a few requests of each, never more.
                #expect(load.failures.count <= 30, "of \(load.started): \(load.failures.prefix(5))")
                let after = try await underLoad(site) { _ in }
                #expect(after.failures.count == 0, "of \(after.started): \(after.failures.prefix(5))")
                #expect(try await site.nginx() == nginx)
                router.kill()
            }
        }
    }

    /// nginx's master is killed under load: its workers go on until the router starts nginx anew on the same ports.
    @Test func aKilledNginxIsStartedAgainWithTheLastGoodTable() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await RouterSite.with { site in
                let router = try site.startRouter()
                try await site.serve("other.edge.localhost", version: 1, ports: [9])
                try await site.change(Self.host, version: 2, ports: ports)
                let nginx = try await site.nginx()
                // The new nginx has nobody but the router to take the table from.
                site.controller.withhold()
                let load = try await underLoad(site) { load in
                    nginx.send(signal: SIGKILL)
                    try await eventually(within: .seconds(20), "another nginx runs") {
                        guard let next = await site.edge.master.running() else { return false }
                        return next != nginx && !EdgeFixture.workers(of: next).isEmpty
                    }
                    let failed = load.failures.count
                    try await load.advance(by: 100)
                    #expect(load.failures.count <= failed + 2, "\(load.failures.suffix(5))")
                }
                // A second without a listener at most.
                #expect(load.failures.count < load.rate, "of \(load.started): \(load.failures.prefix(5))")
                #expect(EdgeFixture.workers(of: nginx).isEmpty)
                router.kill()
            }
        }
    }

    @Test func routerAndNginxKilledTogetherComeBackWithTheLastGoodTable() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await RouterSite.with { site in
                let first = try site.startRouter()
                try await site.serve("other.edge.localhost", version: 1, ports: [9])
                try await site.change(Self.host, version: 2, ports: ports)
                let nginx = try await site.nginx()
                first.kill()
                for process in EdgeFixture.workers(of: nginx) + [nginx] { process.send(signal: SIGKILL) }
                site.controller.withhold()
                let second = try site.startRouter()
                try await eventually(within: .seconds(20), "the stored table serves") {
                    try await site.edge.send(Self.host).text.hasPrefix("one")
                }
                second.kill()
            }
        }
    }
}

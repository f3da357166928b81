import CurlTransfer
import HTTPTypes
import RouterService
import TestSupport
import Testing

/// Connections that live long, come slowly or ask too much, and the apps beside them.
@Suite(.timeLimit(.minutes(2))) struct EdgeSocketTests {
    @Test func websocketsSurviveChangesOfOtherAppsAndOfTheirOwn() async throws {
        let backends = Backends()
        try await backends.run(["chat", "new", "other"]) { ports in
            try await EdgeFixture.with { edge in
                let other = EdgeFixture.entry("other.edge.localhost", ports: [ports[2]])
                let chat = EdgeFixture.entry("chat.edge.localhost", ports: [ports[0]])
                try await edge.table.apply(RoutingTable(version: 1, hosts: [other, chat]))
                try await KeptConnection.with(port: edge.settings.httpPort, host: "chat.edge.localhost") { socket in
                    try await socket.upgrade("/echo")
                    #expect(try await socket.echo("before") == "chat: before")
                    for version in 2...21 {
                        let port = version.isMultiple(of: 2) ? ports[1] : ports[2]
                        try await edge.table.apply(
                            .changes(
                                RoutingChanges(
                                    version: version, since: version - 1,
                                    hosts: [EdgeFixture.entry("other.edge.localhost", ports: [port])])))
                        #expect(try await socket.echo("\(version)") == "chat: \(version)")
                    }
                    // Its own app moves on: the old process keeps the socket until it ends.
                    try await edge.table.apply(
                        .changes(
                            RoutingChanges(
                                version: 22, since: 21,
                                hosts: [EdgeFixture.entry("chat.edge.localhost", ports: [ports[1]])])))
                    #expect(try await edge.send("chat.edge.localhost").text.hasPrefix("new"))
                    #expect(try await socket.echo("after") == "chat: after")
                }
            }
        }
    }

    @Test func anAnswerUnderWayIsFinishedByTheBackendThatBeganIt() async throws {
        let backends = Backends()
        try await backends.run(["new"]) { ports in
            let old = try await backends.start("old")
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: [old.port])
                backends.releaseLine()
                let response = try await edge.client.stream(edge.request("shop.edge.localhost", "/slow"))
                var parts = response.body.makeAsyncIterator()
                #expect(try await parts.next().map { String(decoding: $0, as: UTF8.self) } == "line 1\n")
                try await edge.serve("shop.edge.localhost", version: 2, ports: ports)
                #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("new"))
                async let drained: Void = old.drain()
                for number in 2...3 {
                    backends.releaseLine()
                    #expect(try await parts.next().map { String(decoding: $0, as: UTF8.self) } == "line \(number)\n")
                }
                #expect(try await parts.next() == nil)
                try await drained
            }
        }
    }

    /// Half a request on many connections: others are served meanwhile, and the slow ones are told to go.
    @Test func clientsThatStallAreClosedAndHoldUpNobody() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with(change: { $0.headerTimeout = 2 }) { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                try await withThrowingTaskGroup(of: String.self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            let ended = Latest<String>()
                            try await KeptConnection.with(port: edge.settings.httpPort, host: "shop.edge.localhost") {
                                let half = number.isMultiple(of: 2) ? "" : "GET / HTTP/1.1\r\nHost: shop.edge"
                                ended.value = try await $0.sendAndReadToEnd(half)
                            }
                            return ended.value ?? "never ended"
                        }
                    }
                    for _ in 0..<20 { #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one")) }
                    for try await answer in group { #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 408")) }
                }
                #expect(try await edge.send("shop.edge.localhost").status == 200)
            }
        }
    }

    @Test func headersPastTheLimitAreRefusedWithAPage() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                var large = edge.request("shop.edge.localhost")
                large.headers[.cookie] = "a=" + String(repeating: "x", count: 40_000)
                let refused = try await edge.client.send(large)
                #expect(refused.status == 431)
                #expect(refused.text.contains("Request headers too large"))
                let long = try await edge.send("shop.edge.localhost", "/" + String(repeating: "x", count: 40_000))
                #expect(long.status == 414)
                large.headers[.cookie] = "a=" + String(repeating: "x", count: 20_000)
                #expect(try await edge.client.send(large).status == 200)
                #expect(backends.count("one") == 1)
            }
        }
    }
}

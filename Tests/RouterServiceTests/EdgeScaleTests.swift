import CurlTransfer
import RouterService
import Testing

/// Many hosts at once.
///
/// The bar is a change visible within 100 ms. A release build is held to it; a debug build, which needs 10 ms for a
/// change and 40 ms for a whole table, gets three times the bar for the latter. What a busy machine adds is known from
/// an edge with a single host, measured in turn with the one of ten thousand: three times that comes on top.
@Suite(.serialized, .timeLimit(.minutes(3))) struct EdgeScaleTests {
    static let hostCount = 10_000
    private static let bar = Duration.milliseconds(100)
    #if DEBUG
        private static let tableMargin = 3
    #else
        private static let tableMargin = 1
    #endif

    /// What one deploy costs on a platform of ten thousand hosts: from the changes in the router's hands to a request
    /// that reaches the new backend.
    @Test func oneChangeAmongTenThousandHostsIsVisibleAtOnce() async throws {
        try await measure("change among", bar: Self.bar) { version, port, _ in
            .changes(RoutingChanges(version: version, since: version - 1, hosts: [Self.entry(0, port: port)]))
        }
    }

    /// The same when the controller sends the whole table, as to a router that was away.
    @Test func oneDifferenceInAWholeTableOfTenThousandHostsIsVisibleSoon() async throws {
        try await measure("whole table of", bar: Self.bar * Self.tableMargin) { version, port, count in
            .table(Self.table(version: version, port: port, count: count))
        }
    }

    private func measure(
        _ what: String, bar: Duration, news: @escaping @Sendable (Int, Int, Int) -> RoutingNews
    ) async throws {
        let backends = Backends()
        try await backends.run(["old", "new"]) { ports in
            try await EdgeFixture.with { small in
                try await EdgeFixture.with { large in
                    try await small.table.apply(Self.table(version: 1, port: ports[0], count: 1))
                    try await large.table.apply(Self.table(version: 1, port: ports[0], count: Self.hostCount))
                    var times: (small: [Duration], large: [Duration]) = ([], [])
                    for version in 2...16 {
                        let (name, port) = version.isMultiple(of: 2) ? ("new", ports[1]) : ("old", ports[0])
                        times.small.append(
                            try await Self.time(news(version, port, 1), on: small, until: name))
                        times.large.append(
                            try await Self.time(news(version, port, Self.hostCount), on: large, until: name))
                    }
                    let one = times.small.sorted()[times.small.count / 2]
                    let median = times.large.sorted()[times.large.count / 2]
                    print("\(what) \(Self.hostCount) hosts: median \(median), with one host \(one)")
                    #expect(median < bar + one * 3, "\(times)")
                }
            }
        }
    }

    /// How long it takes until a request finds the backend `name`, from the news in the router's hands.
    private static func time(_ news: RoutingNews, on edge: EdgeFixture, until name: String) async throws -> Duration {
        let start = ContinuousClock.now
        try await edge.table.apply(news)
        let text = try await edge.send("host-0.edge.localhost").text
        let time = ContinuousClock.now - start
        #expect(text.hasPrefix(name))
        return time
    }

    private static func entry(_ number: Int, port: Int) -> HostEntry {
        HostEntry(
            host: "host-\(number).edge.localhost", app: "app-\(number)",
            backends: [Backend(address: "127.0.0.1", port: port)])
    }

    /// Only host 0 changes from one version to the next.
    private static func table(version: Int, port: Int, count: Int) -> RoutingTable {
        RoutingTable(version: version, hosts: (0..<count).map { entry($0, port: $0 == 0 ? port : 9) })
    }
}

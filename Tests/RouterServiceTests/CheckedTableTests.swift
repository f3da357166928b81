import RouterService
import Testing

@Suite struct CheckedTableTests {
    struct BadHost: CustomTestStringConvertible, Sendable {
        let entry: HostEntry
        let reason: String
        var testDescription: String { "\(entry.host): \(reason)" }
    }

    static let good = HostEntry(
        host: "shop.example.com", app: "shopper", backends: [.init(address: "10.0.0.1", port: 80)])

    static let bad = [
        BadHost(
            entry: HostEntry(host: "shop.example.com; }", app: "evils", backends: []),
            reason: "it is not a host name"),
        BadHost(
            entry: HostEntry(host: "SHOP.example.com", app: "later", backends: []),
            reason: "the name is claimed by an earlier entry"),
        BadHost(
            entry: HostEntry(host: "drycc.example.com", app: "thief", backends: []),
            reason: "the name belongs to the platform"),
        BadHost(
            entry: HostEntry(host: "a.example.com", app: "two words", backends: []),
            reason: "the app's name is not a plain word"),
        BadHost(
            entry: HostEntry(host: "b.example.com", app: "names", backends: [.init(address: "backend.local", port: 1)]),
            reason: "the backend backend.local port 1 is not an address and port"),
        BadHost(
            entry: HostEntry(host: "c.example.com", app: "ports", backends: [.init(address: "10.0.0.1", port: 70000)]),
            reason: "the backend 10.0.0.1 port 70000 is not an address and port"),
    ]

    @Test(arguments: bad) func aBadHostIsSetAsideAndTheOthersStay(_ host: BadHost) throws {
        let table = RoutingTable(version: 1, hosts: [Self.good, host.entry])
        let rules = TableRules(reserved: ["drycc.example.com"], isUsable: { _ in true })
        let checked = try CheckedTable(table, rules: rules)
        #expect(checked.hosts == [Self.good.host: Self.good])
        #expect(checked.problems == [.init(name: host.entry.host, reason: host.reason)])
    }

    @Test func aHostWhoseCertificateIsUnusableShowsTheDefault() throws {
        let entry = HostEntry(
            host: "shop.example.com", app: "shopper", backends: Self.good.backends, certificate: "c1")
        let table = RoutingTable(
            version: 1, hosts: [entry], certificates: [.init(id: "c1", chain: "broken", key: "broken")])
        let checked = try CheckedTable(table, rules: TableRules(reserved: [], isUsable: { _ in false }))
        #expect(checked.hosts == [Self.good.host: Self.good])
        #expect(checked.certificates.isEmpty)
        #expect(checked.problems.map(\.name) == ["c1", "shop.example.com"])
    }

    @Test func aTableWithANegativeVersionIsRefused() {
        #expect(throws: CheckedTable.Refused.self) {
            try CheckedTable(
                RoutingTable(version: -1, hosts: []), rules: TableRules(reserved: [], isUsable: { _ in true }))
        }
    }
}

import Testing

@testable import RouterService

/// From one table to the next: only what differs, and the same outcome as from the whole.
@Suite struct TableStepTests {
    private let rules = TableRules(reserved: ["drycc.example.com"], isUsable: { $0.key != "broken" })

    private func host(
        _ number: Int, port: Int, state: HostEntry.State = .serving, certificate: String? = nil
    ) -> HostEntry {
        HostEntry(
            host: "h\(number).example.com", app: "app\(number)", state: state,
            backends: port == 0 ? [] : [.init(address: "10.0.0.1", port: port)], certificate: certificate)
    }

    @Test func aWholeTableThatDiffersInOneHostChangesThatHost() throws {
        let before = RoutingTable(version: 1, hosts: (0..<50).map { host($0, port: 80) })
        let after = RoutingTable(version: 2, hosts: (0..<50).map { host($0, port: $0 == 7 ? 81 : 80) })
        let step = try TableStep(to: after, from: try CheckedTable(before, rules: rules), rules: rules)
        #expect(step.difference?.hosts == [host(7, port: 81)])
        #expect(step.difference?.removedHosts == [])
        #expect(step.table == (try CheckedTable(after, rules: rules)))
    }

    @Test func certificatesThatComeAndGoAreChanges() throws {
        let old = CertificateEntry(id: "old", chain: "a", key: "b")
        let new = CertificateEntry(id: "new", chain: "c", key: "d")
        let before = RoutingTable(version: 1, hosts: [host(1, port: 80, certificate: "old")], certificates: [old])
        let after = RoutingTable(version: 2, hosts: [host(1, port: 80, certificate: "new")], certificates: [new])
        let step = try TableStep(to: after, from: try CheckedTable(before, rules: rules), rules: rules)
        #expect(step.difference?.certificates == [new])
        #expect(step.difference?.removedCertificates == ["old"])
        #expect(step.difference?.hosts.map(\.certificate) == ["new"])
        let broken = CertificateEntry(id: "old", chain: "a", key: "broken")
        let worse = try TableStep(
            to: RoutingTable(version: 3, hosts: before.hosts, certificates: [broken]),
            from: try CheckedTable(before, rules: rules), rules: rules)
        #expect(worse.difference?.hosts.map(\.certificate) == [nil])
        #expect(worse.table.problems.map(\.name) == ["old", "h1.example.com"])
    }

    @Test func changesForAnotherVersionNeedTheWholeTable() throws {
        let table = try CheckedTable(RoutingTable(version: 5, hosts: [host(1, port: 80)]), rules: rules)
        #expect(TableStep(by: .init(version: 7, since: 6, hosts: []), from: table, rules: rules) == nil)
        #expect(TableStep(by: .init(version: 5, since: 5, hosts: []), from: table, rules: rules) == nil)
        let clash = HostEntry(host: "H1.example.com", app: "later", backends: [])
        #expect(TableStep(by: .init(version: 6, since: 5, hosts: [clash]), from: table, rules: rules) == nil)
    }

    @Test func aHostThatTurnsBadIsTakenOffAndComesBackWhenItIsGood() throws {
        let table = try CheckedTable(
            RoutingTable(version: 1, hosts: [host(1, port: 80), host(2, port: 80)]), rules: rules)
        let bad = try #require(
            TableStep(by: .init(version: 2, since: 1, hosts: [host(1, port: 70000)]), from: table, rules: rules))
        #expect(bad.difference?.removedHosts == ["h1.example.com"])
        #expect(bad.table.problems.map(\.name) == ["h1.example.com"])
        let good = try #require(
            TableStep(by: .init(version: 3, since: 2, hosts: [host(1, port: 81)]), from: bad.table, rules: rules))
        #expect(good.difference?.hosts == [host(1, port: 81)])
        #expect(good.table.problems.isEmpty)
    }

    /// Random histories, followed by changes, by whole tables and from nothing: always the same table.
    @Test func everyWayLeadsToTheSameTable() throws {
        var random = SystemRandomNumberGenerator()
        var hosts: [String: HostEntry] = [:]
        var byChanges = try CheckedTable(RoutingTable(version: 1, hosts: []), rules: rules)
        var byTables = byChanges
        for version in 2...300 {
            var changed: [String: HostEntry] = [:]
            var removed: Set<String> = []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let entry = host(
                    Int.random(in: 0..<20, using: &random),
                    port: [0, 80, 81, 70000].randomElement(using: &random) ?? 0,
                    state: [.serving, .maintenance].randomElement(using: &random) ?? .serving)
                if Bool.random(using: &random) {
                    hosts[entry.host] = entry
                    changed[entry.host] = entry
                    removed.remove(entry.host)
                } else {
                    hosts[entry.host] = nil
                    changed[entry.host] = nil
                    removed.insert(entry.host)
                }
            }
            let whole = RoutingTable(version: version, hosts: hosts.values.sorted { $0.host < $1.host })
            let changes = RoutingChanges(
                version: version, since: version - 1, hosts: Array(changed.values), removed: Array(removed))
            let step = try #require(TableStep(by: changes, from: byChanges, rules: rules))
            let before = byChanges.hosts
            byChanges = step.table
            byTables = try TableStep(to: whole, from: byTables, rules: rules).table
            let fresh = try CheckedTable(whole, rules: rules)
            #expect(byChanges.hosts == fresh.hosts)
            #expect(byTables == fresh)
            #expect(Set(byChanges.problems.map(\.name)) == Set(fresh.problems.map(\.name)))
            // What is sent to nginx makes the one out of the other.
            var sent = before
            for entry in step.difference?.hosts ?? [] { sent[entry.host] = entry }
            for name in step.difference?.removedHosts ?? [] { sent[name] = nil }
            #expect(sent == fresh.hosts)
        }
    }
}

import Testing

@testable import RouterService

/// The records nginx and the next router load, and what changes in them.
@Suite struct EdgeRecordsTests {
    private static let rules = TableRules(reserved: [], isUsable: { _ in true })

    private static let table = RoutingTable(
        version: 7,
        hosts: [
            HostEntry(host: "shop.example.com", app: "shopper", backends: [], certificate: "c1"),
            HostEntry(
                host: "Blog.example.com", app: "blogs",
                backends: [.init(address: "10.0.0.1", port: 80), .init(address: "fd00::1", port: 8080)]),
        ],
        certificates: [.init(id: "c1", chain: "A\n", key: "B\n")])

    @Test func aWholeTableIsSortedAndCounted() throws {
        let checked = try CheckedTable(Self.table, rules: Self.rules)
        #expect(
            EdgeRecords.render(checked, tag: "0a") == """
                table 7 0a
                certificate c1 QQo= Qgo=
                host blog.example.com serving blogs optional - 10.0.0.1:80,[fd00::1]:8080
                host shop.example.com no_process shopper optional c1 -
                end 5

                """)
    }

    @Test func storedRecordsGiveTheTableBack() throws {
        let checked = try CheckedTable(Self.table, rules: Self.rules)
        let stored = try StoredRecords(EdgeRecords.render(checked, tag: "0a"))
        #expect(stored.tag == "0a")
        #expect(try CheckedTable(stored.table, rules: Self.rules) == checked)
    }

    @Test func appendedChangesCountAndACutOneDoesNot() throws {
        let whole = EdgeRecords.render(try CheckedTable(Self.table, rules: Self.rules), tag: "0a")
        let first = """
            change 8 0b 0a
            host new.example.com serving news optional - 10.0.0.2:80
            gone shop.example.com
            dropped c1
            end 5

            """
        let second = "change 9 0c 0b\ngone new.example.com\nend 3\n"
        let stored = try StoredRecords(whole + first)
        #expect(stored.table.version == 8)
        #expect(Set(stored.table.hosts.map(\.host)) == ["new.example.com", "blog.example.com"])
        #expect(stored.table.certificates.isEmpty)
        for length in 0..<second.utf8.count - 1 {
            let cut = try StoredRecords(whole + first + String(second.prefix(length)))
            #expect(cut.table.version == 8, "\(length)")
            #expect(cut.tag == "0b")
        }
        #expect(try StoredRecords(whole + first + second).table.hosts.map(\.host) == ["blog.example.com"])
    }

    @Test(arguments: [
        "", "rubbish\n", "end 1\n", "table 1 0a\nend 9\n", "change 2 0b 0a\nend 2\n",
        "table 1 0a\nend 2\nchange 2 0c 0b\nend 2\n", "table 1 0a\nhost a b c\nend 3\n",
        "table 1 0a\nhost a.b serving app optional - 10.0.0.1\nend 3\n", "version 1\nend 2\n",
    ]) func recordsThatMakeNoSenseAreRefused(_ text: String) {
        #expect(throws: StoredRecords.Unreadable.self) { _ = try StoredRecords(text) }
    }
}

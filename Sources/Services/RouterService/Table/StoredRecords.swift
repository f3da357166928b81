import FoundationEssentials

/// The table a file of records describes: one whole table and the changes appended to it.
struct StoredRecords: Sendable {
    /// The file does not begin with a whole table, or a whole block of it makes no sense.
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    let table: RoutingTable
    /// Names exactly this content.
    let tag: String

    /// Reads the blocks in order; a last one that was cut off is left out.
    init(_ text: String) throws(Unreadable) {
        var reader = Reader()
        var block: [Substring] = []
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // What follows the last line end is a line that was cut off.
        for line in lines.dropLast().map({ Substring($0) }) {
            block.append(line)
            guard line.hasPrefix("end ") else { continue }
            guard Int(line.dropFirst(4)) == block.count else { throw Unreadable(description: "a block is incomplete") }
            try reader.take(block.dropLast())
            block.removeAll(keepingCapacity: true)
        }
        guard let version = reader.version, let tag = reader.tag else {
            throw Unreadable(description: "there is no table")
        }
        table = RoutingTable(
            version: version, hosts: Array(reader.hosts.values), certificates: Array(reader.certificates.values))
        self.tag = tag
    }

    private struct Reader {
        var version: Int?
        var tag: String?
        var hosts: [String: HostEntry] = [:]
        var certificates: [String: CertificateEntry] = [:]

        mutating func take(_ lines: ArraySlice<Substring>) throws(Unreadable) {
            guard let head = lines.first?.split(separator: " "), head.count >= 3, let version = Int(head[1]) else {
                throw Unreadable(description: "a block has no head")
            }
            if head[0] == "table" {
                hosts = [:]
                certificates = [:]
            } else if head[0] != "change" || head.count != 4 || tag.map({ head[3] == $0 }) != true {
                throw Unreadable(description: "a change does not follow the table before it")
            }
            for line in lines.dropFirst() { try read(line.split(separator: " ")) }
            self.version = version
            tag = String(head[2])
        }

        private mutating func read(_ words: [Substring]) throws(Unreadable) {
            switch (words.first, words.count) {
            case ("gone", 2): hosts[String(words[1])] = nil
            case ("dropped", 2): certificates[String(words[1])] = nil
            case ("certificate", 4):
                let entry = CertificateEntry(
                    id: String(words[1]), chain: try Self.text(words[2]), key: try Self.text(words[3]))
                certificates[entry.id] = entry
            case ("host", 7):
                let entry = try Self.host(words)
                hosts[entry.host] = entry
            default: throw Unreadable(description: "a line of an unknown kind")
            }
        }

        private static func host(_ words: [Substring]) throws(Unreadable) -> HostEntry {
            guard let state = HostEntry.State(rawValue: String(words[2])),
                let https = HostEntry.HTTPSPolicy(rawValue: String(words[4]))
            else { throw Unreadable(description: "the record of \(words[1])") }
            var backends: [Backend] = []
            for item in words[6].split(separator: ",") where item != "-" {
                guard let colon = item.lastIndex(of: ":"), let port = Int(item[item.index(after: colon)...]) else {
                    throw Unreadable(description: "a backend of \(words[1])")
                }
                backends.append(Backend(address: item[..<colon].filter { $0 != "[" && $0 != "]" }, port: port))
            }
            return HostEntry(
                host: String(words[1]), app: String(words[3]), state: state, backends: backends, https: https,
                certificate: words[5] == "-" ? nil : String(words[5]))
        }

        private static func text(_ word: Substring) throws(Unreadable) -> String {
            guard let data = Data(base64Encoded: String(word)) else { throw Unreadable(description: "a certificate") }
            return String(decoding: data, as: UTF8.self)
        }
    }
}

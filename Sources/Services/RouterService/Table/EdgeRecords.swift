import FoundationEssentials

/// Renders a routing table, and what changes in it, as the plain records the edge's shared memory holds.
///
/// A block begins with its version and a tag that names exactly this content, has one line a record and ends with the
/// count of its lines, so that a cut text is recognised. Certificates travel in base64 because PEM has line ends.
package enum EdgeRecords {
    /// The whole table, sorted so that equal tables give equal text.
    package static func render(_ table: CheckedTable, tag: String) -> String {
        var lines = ["table \(table.version) \(tag)"]
        lines.reserveCapacity(table.hosts.count + table.certificates.count + 2)
        for entry in table.certificates.values.sorted(by: { $0.id < $1.id }) { lines.append(line(of: entry)) }
        for entry in table.hosts.values.sorted(by: { $0.host < $1.host }) { lines.append(line(of: entry)) }
        return block(lines)
    }

    /// What leads from the table tagged `base` to the one tagged `tag`.
    static func render(_ difference: TableDifference, tag: String, base: String) -> String {
        var lines = ["change \(difference.version) \(tag) \(base)"]
        lines += difference.certificates.map { line(of: $0) }
        lines += difference.hosts.map { line(of: $0) }
        lines += difference.removedHosts.map { "gone \($0)" }
        lines += difference.removedCertificates.map { "dropped \($0)" }
        return block(lines)
    }

    private static func block(_ lines: [String]) -> String {
        lines.joined(separator: "\n") + "\nend \(lines.count + 1)\n"
    }

    private static func line(of entry: CertificateEntry) -> String {
        "certificate \(entry.id) \(base64(entry.chain)) \(base64(entry.key))"
    }

    private static func line(of entry: HostEntry) -> String {
        let backends = entry.backends.map { backend in
            let address = backend.address.contains(":") ? "[\(backend.address)]" : backend.address
            return "\(address):\(backend.port)"
        }
        let list = backends.isEmpty ? "-" : backends.joined(separator: ",")
        let policy = "\(entry.https.rawValue) \(entry.certificate ?? "-")"
        return "host \(entry.host) \(entry.state.rawValue) \(entry.app) \(policy) \(list)"
    }

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}

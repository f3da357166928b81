import FoundationEssentials

/// Renders a routing table as the plain records the edge's shared memory holds.
///
/// One line a record, sorted so that equal tables give equal text; the last line counts the others, so that a cut text
/// is recognised. Certificates travel in base64 because PEM has line ends.
package enum EdgeRecords {
    package static func render(_ checked: CheckedTable) -> String {
        let table = checked.table
        var lines = ["version \(table.version)"]
        for entry in table.certificates.sorted(by: { $0.id < $1.id }) {
            lines.append("certificate \(entry.id) \(base64(entry.chain)) \(base64(entry.key))")
        }
        for entry in table.hosts.sorted(by: { $0.host < $1.host }) {
            lines.append("host \(entry.host) \(record(of: entry))")
        }
        lines.append("end \(lines.count + 1)")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func record(of entry: HostEntry) -> String {
        let state = entry.state == .serving && entry.backends.isEmpty ? .noProcess : entry.state
        let backends = entry.backends.map { backend in
            let address = backend.address.contains(":") ? "[\(backend.address)]" : backend.address
            return "\(address):\(backend.port)"
        }
        let list = backends.isEmpty ? "-" : backends.joined(separator: ",")
        return "\(state.rawValue) \(entry.app) \(entry.https.rawValue) \(entry.certificate ?? "-") \(list)"
    }

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}

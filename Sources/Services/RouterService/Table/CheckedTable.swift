import PlatformModel

/// A routing table the edge can carry: every host that could harm another one has been set aside.
///
/// One app's mistake must not stop the updates of all others, so a host or certificate that breaks a rule is left out
/// and named in ``problems``; only a table that is wrong as a whole is refused.
package struct CheckedTable: Equatable, Sendable {
    /// Why a table as a whole cannot be used.
    package struct Refused: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// A host or certificate that was left out, and why.
    package struct Problem: Equatable, Sendable {
        package let name: String
        package let reason: String

        package init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    package let table: RoutingTable
    package let problems: [Problem]

    /// - Parameter isUsable: whether chain and key of a certificate belong together; false leaves it out.
    package init(
        _ table: RoutingTable, reserved: Set<String>, isUsable: (CertificateEntry) -> Bool
    ) throws(Refused) {
        guard table.version >= 0 else { throw Refused(description: "the version is negative") }
        if table.version > 0, table.hosts.isEmpty, !table.certificates.isEmpty {
            throw Refused(description: "there are certificates and no hosts")
        }
        var problems: [Problem] = []
        let certificates = Self.usable(table.certificates, problems: &problems, isUsable: isUsable)
        var seen: Set<String> = []
        var hosts: [HostEntry] = []
        for entry in table.hosts {
            if let reason = Self.fault(of: entry, seen: seen, reserved: reserved) {
                problems.append(Problem(name: entry.host, reason: reason))
                continue
            }
            seen.insert(entry.host.lowercased())
            hosts.append(Self.normalised(entry, certificates: Set(certificates.map(\.id)), problems: &problems))
        }
        self.table = RoutingTable(version: table.version, hosts: hosts, certificates: certificates)
        self.problems = problems
    }

    private static func usable(
        _ entries: [CertificateEntry], problems: inout [Problem], isUsable: (CertificateEntry) -> Bool
    ) -> [CertificateEntry] {
        var seen: Set<String> = []
        return entries.filter { entry in
            let reason: String? =
                if !isToken(entry.id) {
                    "the certificate's id is not a plain word"
                } else if !seen.insert(entry.id).inserted {
                    "the certificate is listed twice"
                } else if !isUsable(entry) {
                    "the certificate and its key cannot be used together"
                } else {
                    nil
                }
            if let reason { problems.append(Problem(name: entry.id, reason: reason)) }
            return reason == nil
        }
    }

    private static func fault(of entry: HostEntry, seen: Set<String>, reserved: Set<String>) -> String? {
        let name = entry.host.lowercased()
        if DomainName(ifValid: name) == nil { return "it is not a host name" }
        if reserved.contains(name) { return "the name belongs to the platform" }
        if seen.contains(name) { return "the name is claimed by an earlier entry" }
        if !isToken(entry.app) { return "the app's name is not a plain word" }
        if entry.state == .serving, entry.backends.isEmpty { return nil }
        if let backend = entry.backends.first(where: { !isUsable($0) }) {
            return "the backend \(backend.address) port \(backend.port) is not an address and port"
        }
        return nil
    }

    /// Lower-case name, no backend twice, and no certificate that is not in the table.
    private static func normalised(
        _ entry: HostEntry, certificates: Set<String>, problems: inout [Problem]
    ) -> HostEntry {
        var certificate = entry.certificate
        if let id = certificate, !certificates.contains(id) {
            problems.append(Problem(name: entry.host, reason: "its certificate \(id) is missing or unusable"))
            certificate = nil
        }
        var seen: Set<Backend> = []
        return HostEntry(
            host: entry.host.lowercased(), app: entry.app, state: entry.state,
            backends: entry.backends.filter { seen.insert($0).inserted }, https: entry.https, certificate: certificate)
    }

    private static func isUsable(_ backend: Backend) -> Bool {
        (1...65535).contains(backend.port) && IPAddressText.isAddress(backend.address)
    }

    private static func isToken(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                NginxText.isWordByte(byte)
            }
    }
}
